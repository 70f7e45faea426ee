-- name: all_series
select project, environment, worker, version, run_trigger, name, labels, kind, id, last_at from series

-- name: add_series
insert into series (project, environment, worker, version, run_trigger, name, labels, kind, last_at)
values (:project, :environment, :worker, :version, :trigger, :name, :labels, :kind, :at)
returning id

-- name: touch_series
update series set last_at = :at where id = :id

-- name: get_minute
select figures from minutes where series = :series and at = :at

-- name: get_hour
select figures from hours where series = :series and at = :at

-- name: put_minute
insert into minutes (series, at, figures) values (:series, :at, :figures)
on conflict (series, at) do update set figures = excluded.figures

-- name: put_hour
insert into hours (series, at, figures) values (:series, :at, :figures)
on conflict (series, at) do update set figures = excluded.figures

-- name: minutes
select at, figures from minutes where series = :series and at >= :since and at < :until order by at

-- name: hours
select at, figures from hours where series = :series and at >= :since and at < :until order by at

-- name: series_of_project
select id from series where project = :project

-- name: forget_series
delete from series where id = :id

-- name: forget_old_series
delete from series where last_at < :before

-- name: forget_minutes
delete from minutes where series = :series and at < :before

-- name: forget_hours
delete from hours where series = :series and at < :before

-- name: oldest_minute
select min(at) from minutes where series = :series

-- name: bytes_used
select (page_count.page_count - freelist_count.freelist_count) * page_size.page_size
from pragma_page_count as page_count, pragma_freelist_count as freelist_count, pragma_page_size as page_size
