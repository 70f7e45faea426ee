-- name: all_tokens
select id, project, databases, access, label, secret_hash, created_at, expires_at, used_at
from database_tokens order by created_at, id;

-- name: insert_token
insert into database_tokens (id, project, databases, access, label, secret_hash, created_at, expires_at)
values (:id, :project, :databases, :access, :label, :secret_hash, :created_at, :expires_at);

-- name: delete_token
delete from database_tokens where id = :id;

-- name: delete_expired_tokens
-- Those that nobody will ask about any more.
delete from database_tokens where expires_at < :before;

-- name: set_token_used
update database_tokens set used_at = :used_at where id = :id;
