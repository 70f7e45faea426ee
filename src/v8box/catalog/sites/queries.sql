-- name: sites
select s.name, s.project, s.live, r.number, s.number, s.settings, s.fingerprint, s.created_at, s.changed_at
from sites s
left join releases r on r.site = s.name and r.key = s.live and r.number = (
    select max(number) from releases where site = s.name and key = s.live
)
where (:project is null or s.project = :project) and (:name is null or s.name = :name)
order by s.name

-- name: add_site
insert into sites (name, project, live, number, settings, fingerprint, created_at, changed_at)
values (:name, :project, null, 0, '{}', '', :at, :at)

-- name: delete_site
delete from sites where name = :name

-- name: set_settings
update sites set settings = :settings, changed_at = :at where name = :name

-- name: next_release
insert into site_numbers (site, value) values (:site, 1)
on conflict (site) do update set value = value + 1
returning value

-- name: add_release
insert into releases (site, number, id, key, files, bytes, created_at, created_by, message, report)
values (:site, :number, :id, :key, :files, :bytes, :at, :by, :message, :report)

-- name: releases
select site, number, id, key, files, bytes, created_at, created_by, message, pinned, report from releases
where site = :site and number < :before and (:number is null or number = :number)
order by number desc
limit :limit

-- name: live_of_project
-- Without the reports, which may be long.
select r.site, r.number, r.id, r.key, r.files, r.bytes, r.created_at, r.created_by, r.message, r.pinned, '{}'
from sites s join releases r on r.site = s.name and r.key = s.live
where s.project = :project
order by r.number

-- name: describe_release
update releases set message = :message, pinned = :pinned where site = :site and number = :number

-- name: improve_release
update releases set key = :key, report = :report where site = :site and number = :number and key = :before
returning number

-- name: improve_live
update sites set live = :key where name = :site and live = :before

-- name: delete_release
delete from releases where site = :site and number = :number

-- name: releases_to_prune
select r.number from releases r
join sites s on s.name = r.site
where r.site = :site and r.pinned = 0 and r.key is not s.live
    and r.number <= (select coalesce(max(number), 0) - :keep from releases where site = :site)
    and not exists (select 1 from previews p where p.site = r.site and p.release = r.number)

-- name: keys
-- Of every release there is: what its blob refers to is kept.
select distinct key from releases

-- name: go_live
update sites set live = :key, number = number + 1, fingerprint = coalesce(:fingerprint, fingerprint), changed_at = :at
where name = :site
returning number

-- name: add_history
insert into site_history (site, number, change, release, at, made_by, message)
values (:site, :number, :change, :release, :at, :by, :message)

-- name: history
select number, change, release, at, made_by, message from site_history
where site = :site and id < :before
order by id desc
limit :limit

-- name: trim_history
delete from site_history where site = :site and id <= (
    select id from site_history where site = :site order by id desc limit 1 offset 1000
)

-- name: previews
select site, label, release, password_hash, expires_at, created_at from previews
where (:site is null or site = :site)
order by site, label

-- name: set_preview
insert into previews (site, label, release, password_hash, expires_at, created_at)
values (:site, :label, :release, :password_hash, :expires_at, :at)
on conflict (site, label) do update
set release = excluded.release,
    password_hash = iif(:keep_password, previews.password_hash, excluded.password_hash),
    expires_at = iif(:keep_end, iif(previews.expires_at > :at, previews.expires_at, null), excluded.expires_at)
returning password_hash, expires_at

-- name: delete_preview
delete from previews where site = :site and label = :label returning label

-- name: delete_expired_previews
delete from previews where expires_at is not null and expires_at < :now returning site, label

-- name: domains
select host, site, token, verified_at, created_at from domains
where (:site is null or site = :site) and (:host is null or host = :host)
order by host

-- name: domains_of_project
select host, site, token, verified_at, created_at from domains
where site in (select name from sites where project = :project)
order by host

-- name: add_domain
insert into domains (host, site, token, verified_at, created_at) values (:host, :site, :token, null, :at)

-- name: verify_domain
update domains set verified_at = :at where host = :host

-- name: delete_domain
delete from domains where host = :host and site = :site returning host

-- name: preview_releases
-- Every preview with the key of its release.
select p.site, p.label, r.key from previews p join releases r on r.site = p.site and r.number = p.release

-- name: all_releases
-- The releases of all sites with their keys: each answers under its own number.
select site, id, key from releases
