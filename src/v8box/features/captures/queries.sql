-- name: insert
insert into captures (id, project, environment, worker, version, kind, created_at, created_by, bytes, note)
values (:id, :project, :environment, :worker, :version, :kind, :created_at, :created_by, :bytes, :note)

-- name: all
select id, project, environment, worker, version, kind, created_at, created_by, bytes, note
from captures order by created_at, id

-- name: delete
delete from captures where id = :id
