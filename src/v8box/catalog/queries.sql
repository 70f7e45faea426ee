-- name: generation
select value from generation

-- name: next_generation
update generation set value = value + 1 returning value

-- name: live
-- Every live version of every environment, the older of two first, with what its build depended on.
select s.environment, s.weight, d.sticky, d.fingerprint,
    v.project, v.worker, v.id, v.manifest, v.bundle_hash, v.source_map_hash, v.sources, v.lock_hash, v.created_at,
    v.number
from shares s
join deployments d on d.project = s.project and d.environment = s.environment and d.worker = s.worker
join versions v on v.project = s.project and v.worker = s.worker and v.id = s.version
order by s.project, s.environment, s.worker, s.position

-- name: add_version
-- The same content again is the same version: the first one stays.
insert into versions (
    project, worker, id, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at, created_by, message,
    bundle_bytes, number
)
values (
    :project, :worker, :id, :manifest, :bundle_hash, :source_map_hash, :sources, :lock_hash, :created_at, :created_by,
    :message, :bundle_bytes,
    (
        select 1 + max(coalesce((select max(number) from versions where project = :project and worker = :worker), 0),
            coalesce((select value from last_numbers where project = :project and worker = :worker), 0))
    )
)
on conflict (project, worker, id) do nothing

-- name: note_number
-- A number is never given twice, also when the newest versions were removed.
insert into last_numbers (project, worker, value)
select :project, :worker, max(number) from versions where project = :project and worker = :worker
on conflict (project, worker) do update set value = max(value, excluded.value)

-- name: version
select project, worker, id, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at, number
from versions
where project = :project and worker = :worker and id = :id

-- name: versions_like
-- The version that has this id, this number, this tag, or an id that begins so: the first of these that fits. Two of
-- the same rank: it is not clear which.
select id, min(rank) from (
    select id, 1 as rank from versions where project = :project and worker = :worker and id = :prefix
    union all
    select id, 2 from versions where project = :project and worker = :worker and number = :number
    union all
    select version, 3 from tags where project = :project and worker = :worker and tag = :tag
    union all
    select id, 4 from versions
    where project = :project and worker = :worker
        and length(:prefix) >= 4 and substr(id, 1, length(:prefix)) = :prefix
)
group by id
order by min(rank)
limit 2

-- name: version_infos
-- Newest first. `before` is a number: those with a smaller one.
select v.project, v.worker, v.id, v.manifest, v.bundle_hash, v.source_map_hash, v.sources, v.lock_hash, v.created_at,
    v.number, v.created_by, v.message, v.pinned, v.bundle_bytes,
    coalesce((
        select json_group_array(tag order by tag) from tags t
        where t.project = v.project and t.worker = v.worker and t.version = v.id
    ), '[]')
from versions v
where v.project = :project and v.worker = :worker and v.number < :before and (:id is null or v.id = :id)
order by v.number desc
limit :limit

-- name: describe_version
update versions set message = :message, pinned = :pinned
where project = :project and worker = :worker and id = :id

-- name: tags
select tag, version from tags where project = :project and worker = :worker

-- name: clear_tags
delete from tags where project = :project and worker = :worker and version = :id

-- name: set_tag
-- A tag names one version: it moves.
insert into tags (project, worker, tag, version) values (:project, :worker, :tag, :id)
on conflict (project, worker, tag) do update set version = excluded.version

-- name: environments_of_version
select environment from shares where project = :project and worker = :worker and version = :id

-- name: delete_version
delete from versions where project = :project and worker = :worker and id = :id

-- name: worker_names
select distinct worker from versions where project = :project

-- name: versions_to_prune
-- Beyond the newest `keep`: those that are not live, tagged or pinned.
select v.id from versions v
where v.project = :project and v.worker = :worker and v.pinned = 0
    and v.number <= (
        select number from versions where project = :project and worker = :worker
        order by number desc limit 1 offset :keep
    )
    and not exists (
        select 1 from tags t where t.project = v.project and t.worker = v.worker and t.version = v.id
    )
    and not exists (
        select 1 from shares s where s.project = v.project and s.worker = v.worker and s.version = v.id
    )
    and not exists (
        select 1 from held_versions h where h.project = v.project and h.worker = v.worker and h.version = v.id
    )

-- name: workers
-- Every worker that has a version, with how many, and the newest one's number, id and time.
select project, worker, count(*), max(number), id, created_at from versions
where (:project is null or project = :project)
group by project, worker
order by project, worker

-- name: worker
select project, worker, count(*), max(number), id, created_at from versions
where project = :project and worker = :worker
group by project, worker

-- name: hashes
-- The blobs that the next thousand versions refer to; `sources` is JSON.
select rowid, bundle_hash, source_map_hash, lock_hash, sources from versions
where rowid > :after
order by rowid
limit 1000

-- name: deployment
select number, sticky, changed_at, changed_by from deployments
where project = :project and environment = :environment and worker = :worker

-- name: deployments
select environment, number, sticky, changed_at, changed_by from deployments
where project = :project and worker = :worker
order by environment

-- name: shares
select s.version, s.weight, v.number from shares s
join versions v on v.project = s.project and v.worker = s.worker and v.id = s.version
where s.project = :project and s.environment = :environment and s.worker = :worker
order by s.position

-- name: point
insert into deployments (project, environment, worker, number, fingerprint, sticky, changed_at, changed_by)
values (:project, :environment, :worker, :number, :fingerprint, :sticky, :at, :by)
on conflict (project, environment, worker) do update
set number = excluded.number, fingerprint = excluded.fingerprint, sticky = excluded.sticky,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by

-- name: note_fingerprint
update deployments set fingerprint = :fingerprint
where project = :project and environment = :environment and worker = :worker

-- name: clear_shares
delete from shares where project = :project and environment = :environment and worker = :worker

-- name: add_share
insert into shares (project, environment, worker, position, version, weight)
values (:project, :environment, :worker, :position, :version, :weight)

-- name: remove
delete from deployments
where project = :project and environment = :environment and worker = :worker
returning number

-- name: last_number
-- The number of the newest change, also when the deployment is gone.
select coalesce(max(deployment), 0) from history
where project = :project and environment = :environment and worker = :worker

-- name: add_history
insert into history (project, environment, worker, change, version, at, deployment, shares, made_by, message)
values (:project, :environment, :worker, :change, :version, :at, :number, :shares, :by, :message)

-- name: history
-- Newest first.
select change, version, at, deployment, shares, made_by, message, number from history
where project = :project and environment = :environment and worker = :worker and number < :before
order by number desc
limit :limit

-- name: last_deployed
-- The version that was deployed last, where the worker is live now.
select version, at from history
where project = :project and worker = :worker and change = 'deployed'
    and environment in (select environment from deployments where project = :project and worker = :worker)
order by number desc
limit 1

-- name: changes
-- Of all workers and environments, or of one, newest first, with the number of the version.
select history.worker, history.environment, change, version, at, deployment, shares, made_by, history.message,
    history.number, versions.number
from history
left join versions on versions.project = history.project and versions.worker = history.worker
    and versions.id = history.version
where history.project = :project and at >= :since and at < :until
    and (:worker is null or history.worker = :worker)
    and (:environment is null or history.environment = :environment)
order by history.number desc
limit :limit

-- name: trim_history
-- The newest thousand of a deployment stay.
delete from history
where project = :project and environment = :environment and worker = :worker and number <= (
    select number from history
    where project = :project and environment = :environment and worker = :worker
    order by number desc limit 1 offset 1000
)

-- name: delete_tags_of_worker
delete from tags where project = :project and worker = :worker

-- name: delete_versions_of_worker
delete from versions where project = :project and worker = :worker

-- name: hold
insert into held_versions (project, worker, version, site, release)
values (:project, :worker, :version, :site, :release)

-- name: held_by_release
select project, worker, version from held_versions
where site = :site and (:release is null or release = :release)
order by worker

-- name: let_go
delete from held_versions where site = :site and (:release is null or release = :release)

-- name: holders
-- Who holds versions of a worker.
select distinct site from held_versions
where project = :project and worker = :worker and (:version is null or version = :version)
order by site

-- name: held
-- Every version that is held, and whether the release that holds it is live.
select h.project, h.worker, h.version, max(s.live is r.key)
from held_versions h
join releases r on r.site = h.site and r.number = h.release
join sites s on s.name = h.site
group by h.project, h.worker, h.version

-- name: idle_worker
-- A worker that is live nowhere and that no release holds.
select 1
where not exists (select 1 from deployments where project = :project and worker = :worker)
    and not exists (select 1 from held_versions where project = :project and worker = :worker)

-- name: entry_tags
select worker, tag from worker_tags where project = :project order by worker, tag

-- name: entry_deployments
select worker, environment, changed_at from deployments where project = :project order by worker, environment

-- name: entry_holders
select distinct worker from held_versions where project = :project

-- name: summaries_of
-- As `workers`, of those with these names: a JSON list.
select project, worker, count(*), max(number), id, created_at from versions
where project = :project and worker in (select value from json_each(:names))
group by project, worker

-- name: tags_of
select worker, tag from worker_tags
where project = :project and worker in (select value from json_each(:names))
order by worker, tag

-- name: deployments_of
select worker, environment, number, sticky, changed_at, changed_by from deployments
where project = :project and worker in (select value from json_each(:names))
order by worker, environment

-- name: shares_of
select s.worker, s.environment, s.version, s.weight, v.number from shares s
join versions v on v.project = s.project and v.worker = s.worker and v.id = s.version
where s.project = :project and s.worker in (select value from json_each(:names))
order by s.worker, s.environment, s.position

-- name: holders_of
select distinct worker, site from held_versions
where project = :project and worker in (select value from json_each(:names))
order by worker, site

-- name: worker_tags
select tag from worker_tags where project = :project and worker = :worker order by tag

-- name: count_worker_tags
select tag, count(*) from worker_tags where project = :project group by tag order by tag

-- name: add_worker_tag
insert into worker_tags (project, worker, tag) values (:project, :worker, :tag) on conflict do nothing

-- name: remove_worker_tag
delete from worker_tags where project = :project and worker = :worker and tag = :tag

-- name: forget_worker_tags
delete from worker_tags where project = :project and worker = :worker
