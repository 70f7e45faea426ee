-- name: version
and version = (select id from words where word = :version)

-- name: run
and id = :run

-- name: status
and status between :status_low and :status_high

-- name: outcome
and outcome = (select id from words where word = :outcome)

-- name: trigger
and "trigger" = (select id from words where word = :trigger)

-- name: not_failed
and not failed

-- name: failed
and failed

-- name: rare
and rare

-- name: slow
and duration >= 1000000

-- name: min_duration
and duration >= :min_duration

-- name: max_duration
and duration <= :max_duration

-- name: method
and rest ->> :method_place = :method

-- name: trace
and rest ->> :trace_place = :trace

-- name: run_text
and (
    path like :text escape '\'
    or (
        error is not null
        and (
            error ->> 'message' like :text escape '\'
            or error ->> 'name' like :text escape '\'
            or error ->> 'stack' like :text escape '\'
        )
    )
    or id in (select value from carray(:printed))
)

-- name: line_runs
and run in (select value from carray(:runs))

-- name: level
and level >= :level

-- name: bad
and level >= 2

-- name: line_text
and text like :text escape '\'

-- name: source
and source = {source}
