-- Each thing is JSON beside what it is looked for by. `project` is empty for the box itself. Times are Unix times.
create table notification_channels (
  id text primary key,
  project text not null,
  body text not null,
  sealed blob not null
) strict;

create index notification_channels_by_project on notification_channels (project);

create table notification_rules (
  id text primary key,
  project text not null,
  body text not null
) strict;

create table notification_alerts (
  id text primary key,
  project text not null,
  rule text not null,
  fired_at real not null,
  resolved_at real,
  body text not null
) strict;

create index notification_alerts_by_time on notification_alerts (project, fired_at desc, id desc);
create index notification_alerts_open on notification_alerts (rule) where resolved_at is null;

create table notification_deliveries (
  id text primary key,
  project text not null,
  channel text not null,
  state text not null,
  created_at real not null,
  next_at real not null,
  body text not null
) strict;

create index notification_deliveries_by_time on notification_deliveries (project, created_at desc, id desc);
create index notification_deliveries_due on notification_deliveries (next_at) where state = 'pending';

-- What every owner wants to see, also before anybody has made a rule or a channel.
insert into notification_rules (id, project, body) values (
  'rule_0000000000000001', '',
  '{"id":"rule_0000000000000001","project":"","name":"The box is not well","kind":"health","status":"fail",'
  || '"for_seconds":30,"severity":"critical","reminder_seconds":14400,"created_at":0,"created_by":"the box"}'
);
