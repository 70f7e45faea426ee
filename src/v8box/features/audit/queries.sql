-- name: bounds
-- Each by itself: SQLite finds one end of an index at once, but for both in one `select` it reads the whole table.
select (select min(number) from audit), (select max(number) from audit)

-- name: newest
-- Those that match, of a stretch of numbers, newest first. `projects`: a JSON list, null for all; `box`: the box's own too.
select * from audit
where number >= :from and number < :below
    and case when project is null then :box else :projects is null or project in (select value from json_each(:projects)) end
    and (:actor is null or actor_id = :actor or actor_name = :actor)
    and (:action is null or substr(action, 1, length(:action)) = :action)
    and (:resource is null or resource = :resource or substr(resource, 1, length(:resource) + 1) = :resource || '/')
    and (:since is null or at >= :since)
    and (:until is null or at < :until)
    and (:text is null or instr(
        lower(action || ' ' || resource || ' ' || actor_name || ' ' || coalesce(before, '') || ' ' || coalesce(after, '')),
        lower(:text)
    ) > 0)
order by number desc limit :limit
