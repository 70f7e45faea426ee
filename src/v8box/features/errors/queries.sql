-- name: known
-- What is there of a group, to be compared with what comes.
select state, ignored_until, resolved_at, resolved_number, stack_number, stack <> '', last_number from error_groups where id = :id

-- name: known_states
select id, state from error_groups where id in (select value from json_each(:ids))

-- name: insert
insert into error_groups (
  id, project, worker, kind, name, message, function, file, line, col, stack, stack_version, stack_number,
  state, first_seen, last_seen, count, first_version, first_number, last_version, last_number
)
values (
  :id, :project, :worker, :kind, :name, :message, :function, :file, :line, :col, :stack, :version, :number,
  'open', :first, :last, :count, :version, :number, :version, :number
)

-- name: update
-- The newest version says how it looks now; an older one that still runs does not put its lines in their place.
update error_groups set
  count = count + :count,
  first_seen = min(first_seen, :first),
  last_seen = max(last_seen, :last),
  message = iif(:message = '', message, :message),
  first_version = iif(:number > 0 and :number < first_number, :version, first_version),
  first_number = iif(:number > 0 and :number < first_number, :number, first_number),
  last_version = iif(:number >= last_number, :version, last_version),
  last_number = iif(:number >= last_number, :number, last_number),
  state = :state,
  ignored_until = iif(:state = 'ignored', ignored_until, null),
  regressed_at = iif(:state = 'regressed' and state <> 'regressed', :last, regressed_at)
where id = :id

-- name: update_stack
update error_groups set
  function = :function, file = :file, line = :line, col = :col,
  stack = :stack, stack_version = :version, stack_number = :number
where id = :id

-- name: add_seen
insert into error_seen (error, version, environment, number, first_seen, last_seen, count)
values (:id, :version, :environment, :number, :first, :last, :count)
on conflict do update set
  first_seen = min(first_seen, excluded.first_seen),
  last_seen = max(last_seen, excluded.last_seen),
  count = count + excluded.count

-- name: trim_seen
-- The ones seen last stay.
delete from error_seen where error = :id and (version, environment) in (
  select version, environment from error_seen where error = :id order by last_seen desc limit -1 offset :keep
)

-- name: add_hour
insert into error_hours (error, hour, count) values (:id, :hour, :count)
on conflict do update set count = count + excluded.count

-- name: add_sample
insert into error_samples (error, run, request_id, at, version, environment, message)
values (:id, :run, :request_id, :at, :version, :environment, :message)

-- name: trim_samples
-- The newest stay, and the first of all.
delete from error_samples where id in (
  select id from error_samples
  where error = :id and id > (select min(id) from error_samples where error = :id)
  order by id desc limit -1 offset :keep
)

-- name: count_groups
select count(*), coalesce(sum(worker = :worker), 0) from error_groups where project = :project

-- name: evict
-- The least wanted ones: resolved, then ignored, then those quiet for the longest.
delete from error_groups where id in (
  select id from error_groups
  where project = :project and (:worker is null or worker = :worker) and id <> :but
  order by case state when 'resolved' then 0 when 'ignored' then 1 else 2 end, last_seen
  limit :excess
)

-- name: forget_hours
delete from error_hours where hour < :before

-- name: forget_old
delete from error_groups where last_seen < :before

-- name: forget_worker
delete from error_groups where project = :project and worker = :worker

-- name: forget_project
delete from error_groups where project = :project

-- name: list
-- `rank` is what the list is ordered by.
with groups as (
  select *,
    case :sort when 'count' then cast(count as real) when 'first_seen' then first_seen else last_seen end as rank,
    iif(state = 'ignored' and ignored_until <= :now, 'open', state) as now_state
  from error_groups
  where project = :project
)
select id, project, worker, kind, name, message, function, file, line, col, now_state,
  iif(now_state = 'ignored', ignored_until, null), resolved_at, regressed_at, changed_by,
  first_seen, last_seen, count, first_version, first_number, last_version, last_number,
  (select json_group_array(distinct environment) from error_seen where error = groups.id),
  rank
from groups
where (:id is null or id = :id)
  and (:states is null or now_state in (select value from json_each(:states)))
  and (:worker is null or worker = :worker)
  and (:kind is null or kind = :kind)
  and (:environment is null and :version is null and :number is null or exists (
    select 1 from error_seen where error = groups.id
      and (:environment is null or environment = :environment)
      and (:version is null and :number is null or version = :version or number = :number)
  ))
  and (:text is null or instr(lower(name || ' ' || message || ' ' || function || ' ' || file || ' ' || worker), :text))
  and (:after_rank is null or (rank, id) < (:after_rank, :after_id))
order by rank desc, id desc
limit :limit

-- name: newest
-- Those that are new or back, of several projects or (null) of all.
select id, project, worker, name, message, state, coalesce(iif(state = 'regressed', regressed_at, null), first_seen) as at
from error_groups
where state in ('open', 'regressed') and last_seen >= :since
  and coalesce(iif(state = 'regressed', regressed_at, null), first_seen) >= :since
  and (:projects is null or project in (select value from json_each(:projects)))
order by at desc
limit :limit

-- name: states
select iif(state = 'ignored' and ignored_until <= :now, 'open', state) as now_state, count(*)
from error_groups
where project = :project and (:worker is null or worker = :worker)
  and (:environment is null or exists (
    select 1 from error_seen where error = error_groups.id and environment = :environment
  ))
group by now_state

-- name: stack
select stack, stack_version, stack_number from error_groups where id = :id

-- name: seen
select version, number, environment, first_seen, last_seen, count from error_seen
where error = :id order by number desc, last_seen desc

-- name: samples
select run, request_id, at, version, environment, message from error_samples where error = :id order by id desc

-- name: hours
select error, hour, count from error_hours
where error in (select value from json_each(:ids)) and hour >= :since
order by error, hour

-- name: set_state
update error_groups set
  state = :state,
  ignored_until = :until,
  resolved_at = iif(:state = 'resolved', :now, resolved_at),
  resolved_number = iif(:state = 'resolved', last_number, resolved_number),
  changed_by = :by
where id = :id
