-- name: list
select id, project, database, name, sql, created_at, created_by, updated_at, updated_by
from saved_queries
where project = :project and (:database is null or database = :database)
order by database, name

-- name: get
select id, project, database, name, sql, created_at, created_by, updated_at, updated_by
from saved_queries where project = :project and id = :id

-- name: named
select id from saved_queries where project = :project and database = :database and name = :name

-- name: count
select count(*) from saved_queries where project = :project

-- name: insert
insert into saved_queries (id, project, database, name, sql, created_at, created_by, updated_at, updated_by)
values (:id, :project, :database, :name, :sql, :created_at, :created_by, :updated_at, :updated_by)

-- name: update
update saved_queries set name = :name, sql = :sql, updated_at = :updated_at, updated_by = :updated_by where id = :id

-- name: delete
delete from saved_queries where id = :id

-- name: forget_database
delete from saved_queries where project = :project and database = :database

-- name: forget_project
delete from saved_queries where project = :project
