-- name: revisions
select project, environment, worker, value from variable_revisions

-- name: revision
select value from variable_revisions
where project = :project and environment = :environment and worker = :worker

-- name: bump
insert into variable_revisions (project, environment, worker, value)
values (:project, :environment, :worker, 1)
on conflict (project, environment, worker) do update set value = value + 1
returning value

-- name: bump_all
-- All levels of a project, or of one worker.
update variable_revisions set value = value + 1
where project = :project and (:worker is null or worker = :worker)
returning project, environment, worker, value

-- name: level
-- All variables of one level with their current values.
select v.name, v.environment, v.worker, v.secret, v.version, w.sealed, w.created_at, w.created_by
from variables v
join variable_values w using (project, environment, worker, name, version)
where v.project = :project and v.environment = :environment and v.worker = :worker
order by v.name

-- name: project
-- All variables of a project, whatever their level.
select v.name, v.environment, v.worker, v.secret, v.version, w.sealed, w.created_at, w.created_by
from variables v
join variable_values w using (project, environment, worker, name, version)
where v.project = :project
order by v.name, v.environment, v.worker

-- name: matching
-- The four levels that reach a worker in an environment.
select v.name, v.environment, v.worker, v.secret, v.version, w.sealed, w.created_at, w.created_by
from variables v
join variable_values w using (project, environment, worker, name, version)
where v.project = :project and v.environment in ('', :environment) and v.worker in ('', :worker)

-- name: put
insert into variables (project, environment, worker, name, secret, version, size)
values (:project, :environment, :worker, :name, :secret, :version, :size)
on conflict (project, environment, worker, name) do update
set secret = excluded.secret, version = excluded.version, size = excluded.size

-- name: add_value
insert into variable_values (project, environment, worker, name, version, secret, sealed, created_at, created_by)
values (:project, :environment, :worker, :name, :version, :secret, :sealed, :at, :by)

-- name: hide_values
-- What has become a secret was one before, too.
update variable_values set secret = 1
where project = :project and environment = :environment and worker = :worker and name = :name

-- name: forget_values
delete from variable_values
where project = :project and environment = :environment and worker = :worker and name = :name
and version <= :version

-- name: delete
delete from variables
where project = :project and environment = :environment and worker = :worker and name = :name

-- name: count
select count(*) from variables where project = :project

-- name: used
-- What a level has, and what its project has.
select count(*) filter (where environment = :environment and worker = :worker),
    coalesce(sum(size) filter (where environment = :environment and worker = :worker), 0),
    count(*)
from variables where project = :project

-- name: levels
select count(*) from variable_revisions where project = :project

-- name: values
-- Newest first.
select version, secret, sealed, created_at, created_by from variable_values
where project = :project and environment = :environment and worker = :worker and name = :name
order by version desc

-- name: all_values
-- The next values of a project after a row, for sealing them again.
select rowid, environment, worker, name, version, sealed from variable_values
where project = :project and rowid > :after
order by rowid limit 200

-- name: reseal
update variable_values set sealed = :sealed where rowid = :rowid

-- name: forget_worker
delete from variables where project = :project and worker = :worker

-- name: forget_project
delete from variables where project = :project
