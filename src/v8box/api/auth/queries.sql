-- name: user_by_name
select id, name, email, password_hash, password_is_temporary, totp_confirmed, disabled, created_at, seen_at
from users where name = :name

-- name: user_by_id
select id, name, email, password_hash, password_is_temporary, totp_confirmed, disabled, created_at, seen_at
from users where id = :id

-- name: users_after
select id, name, email, password_hash, password_is_temporary, totp_confirmed, disabled, created_at, seen_at
from users where name > :after order by name limit :limit

-- name: count_users
select count(*) from users

-- name: insert_user
insert into users (id, name, email, password_hash, password_is_temporary, created_at)
values (:id, :name, :email, :password_hash, :temporary, :created_at)

-- name: update_user
update users set name = :name, email = :email, disabled = :disabled where id = :id

-- name: delete_user
delete from users where id = :id

-- name: set_password
update users set password_hash = :password_hash, password_is_temporary = :temporary where id = :id

-- name: rehash_password
-- Only if nobody has set another one meanwhile.
update users set password_hash = :password_hash where id = :id and password_hash = :before

-- name: set_seen
update users set seen_at = :now where id = :id

-- name: roles_of
select project, role from memberships where user_id = :user_id order by project

-- name: members_after
select users.id, users.name, memberships.role, users.disabled
from memberships join users on users.id = memberships.user_id
where memberships.project = :project and users.name > :after order by users.name limit :limit

-- name: set_role
insert into memberships (user_id, project, role) values (:user_id, :project, :role)
on conflict (user_id, project) do update set role = excluded.role

-- name: delete_role
delete from memberships where user_id = :user_id and project = :project

-- name: delete_roles_of_project
delete from memberships where project = :project

-- name: owners
-- Those who can do everything, and can sign in.
select users.id from users join memberships on memberships.user_id = users.id
where memberships.project = '*' and memberships.role = 4 and users.disabled = 0

-- name: session_by_hash
select id, created_at, used_at, address, user_agent, user_id from sessions where secret_hash = :secret_hash

-- name: insert_session
insert into sessions (id, secret_hash, user_id, created_at, used_at, address, user_agent)
values (:id, :secret_hash, :user_id, :now, :now, :address, :user_agent)

-- name: use_session
update sessions set used_at = :now, address = :address where id = :id

-- name: sessions_of
select id, created_at, used_at, address, user_agent from sessions where user_id = :user_id
order by used_at desc, id

-- name: delete_session
delete from sessions where id = :id and user_id = :user_id

-- name: delete_sessions_of
-- All but one, which may be none of them.
delete from sessions where user_id = :user_id and id != :but

-- name: delete_oldest_sessions
delete from sessions where user_id = :user_id and id not in (
    select id from sessions where user_id = :user_id order by used_at desc, id limit :keep
)

-- name: delete_ended_sessions
delete from sessions where used_at <= :idle_before or created_at <= :before

-- name: session_from_address
select 1 from sessions join users on users.id = sessions.user_id
where users.name = :name and sessions.address = :address limit 1

-- name: failures
select key, failures, failed_at from login_failures order by failed_at desc limit :limit

-- name: set_failures
insert into login_failures (key, failures, failed_at) values (:key, :failures, :failed_at)
on conflict (key) do update set failures = excluded.failures, failed_at = excluded.failed_at

-- name: delete_failures
delete from login_failures where key = :key

-- name: delete_old_failures
delete from login_failures where failed_at < :before

-- name: totp
select totp_secret, totp_confirmed, totp_step from users where id = :id

-- name: set_totp
update users set totp_secret = :secret, totp_confirmed = :confirmed, totp_step = :step where id = :id

-- name: reseal_totp
update users set totp_secret = :secret where id = :id and totp_secret = :before

-- name: totp_secrets
select id, totp_secret from users where totp_secret is not null

-- name: set_totp_step
update users set totp_step = :step where id = :id

-- name: insert_recovery_code
insert into recovery_codes (user_id, code_hash) values (:user_id, :code_hash)

-- name: recovery_code
select 1 from recovery_codes where user_id = :user_id and code_hash = :code_hash

-- name: delete_recovery_code
delete from recovery_codes where user_id = :user_id and code_hash = :code_hash

-- name: delete_recovery_codes
delete from recovery_codes where user_id = :user_id

-- name: count_recovery_codes
select count(*) from recovery_codes where user_id = :user_id

-- name: token_by_id
select id, user_id, label, scopes, project, created_at, expires_at, used_at, secret_hash
from personal_tokens where id = :id

-- name: tokens_of
select id, user_id, label, scopes, project, created_at, expires_at, used_at, secret_hash
from personal_tokens where user_id = :user_id order by created_at, id

-- name: insert_token
insert into personal_tokens (id, secret_hash, user_id, label, scopes, project, created_at, expires_at)
values (:id, :secret_hash, :user_id, :label, :scopes, :project, :created_at, :expires_at)

-- name: delete_token
delete from personal_tokens where id = :id

-- name: set_token_used
update personal_tokens set used_at = :used_at where id = :id

-- name: delete_old_tokens
-- Those that nobody will ask about any more.
delete from personal_tokens where expires_at < :before

-- name: delete_tokens_of_project
delete from personal_tokens where project = :project
