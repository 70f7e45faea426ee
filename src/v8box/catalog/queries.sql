-- name: live
-- Every live version of an environment, with what its build depended on.
select v.project, v.worker, v.id, v.manifest, v.bundle_hash, v.source_map_hash, v.sources, v.lock_hash, v.created_at,
    d.fingerprint
from deployments d
join versions v on v.project = d.project and v.worker = d.worker and v.id = d.version
where d.project = :project and d.environment = :environment
order by d.worker

-- name: generation
select value from generation

-- name: next_generation
update generation set value = value + 1 returning value

-- name: add_version
-- The same content again is the same version: the first one stays.
insert into versions (project, worker, id, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at)
values (:project, :worker, :id, :manifest, :bundle_hash, :source_map_hash, :sources, :lock_hash, :created_at)
on conflict do nothing

-- name: version
select project, worker, id, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at
from versions
where project = :project and worker = :worker and id = :id

-- name: go_live
insert into deployments (project, environment, worker, version, fingerprint)
values (:project, :environment, :worker, :version, :fingerprint)
on conflict (project, environment, worker) do update
set version = excluded.version, fingerprint = excluded.fingerprint

-- name: remove
delete from deployments
where project = :project and environment = :environment and worker = :worker
returning version

-- name: add_history
insert into history (project, environment, worker, change, version, at)
values (:project, :environment, :worker, :change, :version, :at)

-- name: history
-- Newest first.
select change, version, at from history
where project = :project and environment = :environment and worker = :worker
order by number desc
limit :limit
