-- name: channels
select body from notification_channels order by id

-- name: put_channel
insert into notification_channels (id, project, body, sealed) values (:id, :project, :body, :sealed)
on conflict (id) do update set body = excluded.body, sealed = excluded.sealed

-- name: set_channel_body
update notification_channels set body = :body where id = :id

-- name: sealed
select sealed from notification_channels where id = :id

-- name: sealed_of_project
select id, sealed from notification_channels where project = :project

-- name: set_sealed
update notification_channels set sealed = :sealed where id = :id and sealed = :before

-- name: delete_channel
delete from notification_channels where id = :id

-- name: rules
select body from notification_rules order by id

-- name: put_rule
insert into notification_rules (id, project, body) values (:id, :project, :body)
on conflict (id) do update set body = excluded.body

-- name: delete_rule
delete from notification_rules where id = :id

-- name: open_alerts
select body from notification_alerts where resolved_at is null

-- name: put_alert
insert into notification_alerts (id, project, rule, fired_at, resolved_at, body)
values (:id, :project, :rule, :fired_at, :resolved_at, :body)
on conflict (id) do update set resolved_at = excluded.resolved_at, body = excluded.body

-- name: alerts_of_project
select body from notification_alerts
where project = :project and (:open = 0 or resolved_at is null)
  and (:before is null or (fired_at, id) < (:before, :before_id))
order by fired_at desc, id desc limit :limit

-- name: alert
select body from notification_alerts where id = :id and project = :project

-- name: prune_alerts
delete from notification_alerts
where resolved_at is not null and (
  resolved_at < :before
  or id in (
    select id from notification_alerts where project = :project and resolved_at is not null
    order by fired_at desc, id desc limit -1 offset :most
  )
)

-- name: put_delivery
insert into notification_deliveries (id, project, channel, state, created_at, next_at, body)
values (:id, :project, :channel, :state, :created_at, :next_at, :body)
on conflict (id) do update set state = excluded.state, next_at = excluded.next_at, body = excluded.body

-- name: due_deliveries
select body from notification_deliveries where state = 'pending' and next_at <= :now order by created_at, id limit :limit

-- name: next_delivery
select min(next_at) from notification_deliveries where state = 'pending'

-- name: waiting_of_channel
select count(*) from notification_deliveries where channel = :channel and state = 'pending'

-- name: pending_of_channel
select body from notification_deliveries where channel = :channel and state = 'pending'

-- name: deliveries_of_project
select body from notification_deliveries
where project = :project and (:channel is null or channel = :channel) and (:state is null or state = :state)
  and (:before is null or (created_at, id) < (:before, :before_id))
order by created_at desc, id desc limit :limit

-- name: delivery
select body from notification_deliveries where id = :id and project = :project

-- name: prune_deliveries
delete from notification_deliveries
where state <> 'pending' and (
  created_at < :before
  or id in (
    select id from notification_deliveries where project = :project and state <> 'pending'
    order by created_at desc, id desc limit -1 offset :most
  )
)

-- name: forget_channels
delete from notification_channels where project = :project

-- name: forget_rules
delete from notification_rules where project = :project

-- name: forget_alerts
delete from notification_alerts where project = :project

-- name: forget_deliveries
delete from notification_deliveries where project = :project
