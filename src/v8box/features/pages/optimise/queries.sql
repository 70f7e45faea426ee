-- name: outcomes
select key, recipe, outcome from optimised
where project = :project and (key, recipe) in (select value ->> 0, value ->> 1 from json_each(:wanted))

-- name: keep_outcome
insert into optimised (project, key, recipe, outcome, at) values (:project, :key, :recipe, :outcome, :at)
on conflict (project, key, recipe) do update set outcome = excluded.outcome, at = excluded.at

-- name: touch_outcomes
update optimised set at = :at
where project = :project and (key, recipe) in (select value ->> 0, value ->> 1 from json_each(:wanted))

-- name: forget_outcomes
delete from optimised where rowid in (
    select rowid from optimised order by at desc limit -1 offset :most
)
