-- name: insert
insert into kills (id, project, environment, worker, version, reason, detail, "limit", used, first_at, at, count, report)
values (:id, :project, :environment, :worker, :version, :reason, :detail, :limit, :used, :first_at, :at, :count, :report)
on conflict (id) do update set at = excluded.at, count = excluded.count

-- name: number_of
select number from kills where id = :id

-- name: repeat
update kills set at = :at, count = :count, report = coalesce(:report, report) where id = :id

-- name: insert_run
insert or ignore into kill_runs (run, kill) values (:run, :kill)

-- name: prune_worker
delete from kills
where project = :project and worker = :worker and number not in (
    select number from kills where project = :project and worker = :worker order by number desc limit :most
)

-- name: prune_old
delete from kills where first_at < :before

-- name: prune_all
-- What is too much goes from the project that has most: one that crashes all day does not push out the others' reports.
delete from kills where number in (
    select number from kills
    where project = (select project from kills group by project order by count(*) desc, project limit 1)
    order by number limit max(0, (select count(*) from kills) - :most)
)

-- name: prune_runs
delete from kill_runs where kill not in (select number from kills)

-- name: newest
-- Those that match, newest first, without their reports.
select number, id, project, environment, worker, version, reason, detail, "limit", used, first_at, at, count from kills
where project = :project
    and (:below is null or number < :below)
    and (:worker is null or worker = :worker)
    and (:environment is null or environment = :environment)
    and (:reason is null or reason = :reason)
    and (:since is null or at >= :since)
    and (:run is null or number in (select kill from kill_runs where run = :run))
order by number desc limit :limit

-- name: one
select number, id, project, environment, worker, version, reason, detail, "limit", used, first_at, at, count, report
from kills where project = :project and id = :id

-- name: forget_project
delete from kills where project = :project
