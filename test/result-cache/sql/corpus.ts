/** Statements of every kind, as people and libraries write them. Each parses. */
export const CORPUS: readonly string[] = `
select 1
select
select from t
select * from a
SELECT * FROM A
select * from "A"
select * from "a""b"
select * from s.a
select * from "S"."a" as x
select * from only a
select * from only (a)
select * from a *
select * from a, b
select * from a, b x, c as y
select * from a join b on a.id = b.id
select * from a left join b on left(a.x, 1) = right(b.x, 1)
select * from a left outer join b using (id) as u right join c using (id, x)
select * from a natural join b natural left join c
select * from a cross join b cross join lateral (select * from c where c.id = b.id) d
select * from (a join b on a.id = b.id) join c on true
select * from (a join b on a.id = b.id) as j join c on true
select * from ((a join b on true) left join (c join d on true) on true)
select * from a join b join c on b.x = c.x on a.x = b.x
select * from (select * from a) x, (select * from b) y
select * from (values (1, 2)) v(x, y)
select * from (select 1) x join a on true
select * from ((select * from a) union (select * from b)) u
select * from (table a) x
table a
table only s.a
values (1, 2), (3, 4)
values (1, (select max(x) from a)) order by 1
(select * from a)
((select * from a) union all select * from b) order by 1 limit 3
select * from a union select * from b except all select * from c intersect distinct select * from d
select (select x from a limit 1) + (select y from b limit 1)
select ((select x from a))
select ((select 1) + 2) from a
select * from a where id in (select a_id from b)
select * from a where (x, y) in (select x, y from b where z = 1)
select * from a where exists (select from b where b.a_id = a.id and b.x = 4)
select * from a where not exists (select 1 from b)
select * from a where x = any (select x from b) or y > all (select y from c) or z = some(array[1, 2])
select array(select x from a), array[(select 1 from b), 2]
select a[(select 1 from b)] from a
select case when exists (select from b) then (select x from c) else 1 end from a
select coalesce((select x from b), 0) from a
select count(*) filter (where x in (select x from b)) from a
select row_number() over (partition by (select 1 from b) order by x) from a
select sum(x) over w from a window w as (partition by y order by z)
select x, count(*) from a group by x having count(*) > (select n from b) order by (select 1 from c)
select x from a group by grouping sets ((x), ()), rollup (x, y), cube (z)
select percentile_cont(0.5) within group (order by x) from a
select string_agg(x, ',' order by y) from a
select * from a limit (select n from b) offset (select m from c)
select * from a order by x fetch first (1 + 1) rows only
select * from a order by x fetch first 3 rows with ties
select distinct on (x, y) * from a
select distinct on (x) x from a, b
select all x from a
select a.from, a.where, a.select from a
select x as from, y as where, z as join from a
select a as "from" from b
select extract(year from x) from a
select substring(x from 1 for 2), trim(both 'x' from y), overlay(x placing y from 2), position('a' in x) from a
select x is distinct from y from a
select * from a where x is not distinct from y and z is distinct from (select 1 from b)
select cast(x as numeric(10, 2)), x::varchar(10), y::timestamp(3) with time zone, z::double precision from a
select x::my_type(3), cast(y as s.my_type(4)) from a
select interval '1 day', date '2020-01-01', timestamp '2020-01-01', numeric(10, 2) '1.5' from a
select x at time zone 'utc' from a
select x between 1 and 2 and y = 3 from a
select * from a where x between 1 and 2 and y = 3
select * from a where x between 1 and y = 3
select * from a where x between symmetric (select 1 from b) and 4 and y = 3
select * from a where case when x = 1 and y = 2 then true else false end and z = 3
select * from a where x = 1
select * from a where (x = 1 and (y = 2)) and z = 'a'
select * from a where x = 1 or y = 2
select * from a where x = 1 and (y = 2 or z = 3)
select * from a where not x = 1
select * from a where not (x = 1) and y = 2
select * from a where (x = 1) is true
select * from a where x = null
select * from a where x in (1, null, 2)
select * from a where x = -5 and y = - 5 and z =-5
select * from a where x = 1 + 1 and y = 2
select * from a where x = 1::int and y = 5.7::int and z = '5'::text
select * from a where x = $1 and y = $2::uuid and z in ($3, $4)
select * from a where (x, y) = (1, 2)
select * from a where (x, y) in ((1, 2), (3, 4))
select * from a where row(x, y) = row(1, 2)
select * from a where ((x)) = ((1))
select * from a where x not in (1, 2)
select * from a where x <> 1 and y = any ($1)
select * from a where a.x = 1 and s.a.y = 2
select * from s.a where s.a.x = 1 and a.y = 2
select * from a as b, b as a where a.x = 1
select * from a as t where a.x = 1 and t.y = 2
select * from a t, b t2 where t.x = 1 and t2.y = 2 and z = 3
select * from a as t (x, y) where t.x = 1
select * from a, (select 1 as id) as b where b.x = 1 and a.x = 2
select * from a left join b on a.x = 1 where b.y = 2
select * from a where x = true and y = false and true = z
select * from a where x = 1.50 and y = 1e3 and z = 0x1F and w = 1_000
select * from a where x = E'a\\nb' and y = E'it''s' and z = U&'d\\0061t'
select * from a where x = $$it's$$ and y = $q$ $$ $q$
select * from a where x like 'a%' escape '\\' and y = 1
select * from a where data @> '{}' and data -> 'x' = '1' and data #>> '{a}' = 'b'
select * from a where x = 'a' collate "C" and y = 1
select * from a where x = (1) and y = ('b')
select * from a where x operator(pg_catalog.=) 1
select * from a for update
select * from a for no key update of a nowait
select * from a for share skip locked
select * from a for key share
with x as (select * from a) select * from x
with x as (select * from a) select * from x, s.x
with x as (select * from x) select * from x
with recursive x as (select * from a union all select a.* from a, x where a.p = x.id) select * from x
with recursive x as (select * from y), y as (select * from a) select * from x
with x as (select * from y), y as (select * from a) select * from x
with x (p, q) as materialized (select 1, 2), y as not materialized (select * from x) select * from y
with x as (select 1) (select * from x) union (select * from a)
with x as (select 1) select * from a where id in (with x as (select * from b) select * from x)
with x as (select * from a) select * from (with y as (select * from x) select * from y) z, y
with x as (insert into a values (1) returning *) select * from x
with x as (update a set v = 1 where id = 2 returning *), y as (delete from b where id = 3) select * from c
with x as (select * from a) insert into b select * from x
with x as (select * from a) update b set v = x.v from x where b.id = x.id
with x as (select * from a) delete from b using x where b.id = x.id and b.t = 1
with recursive t(n) as (values (1) union all select n + 1 from t where n < 100) select sum(n) from t
with recursive t as (select * from a) search depth first by id set o select * from t
with recursive t as (select * from a) cycle id set is_cycle using path select * from t
with recursive t as (select * from a) cycle id, p set c to 'Y' default 'N' using path, u as (select * from t) select * from u, b
select * from unnest(array[1, 2]) as u
select * from generate_series(1, 10) with ordinality as g(x, n), a
select * from a, lateral jsonb_array_elements(a.x) as e
select * from a, jsonb_to_recordset(a.x) as r(id int, name text, price numeric(10, 2))
select * from rows from (generate_series(1, 2), unnest(array[1])) as r
select * from my_function(1) f
select * from s.my_function((select id from a)) f
select * from json_table('[]', '$[*]' columns (id int path '$.id', nested path '$.x[*]' columns (y text path '$'))) j, a
select * from xmltable('/a' passing x columns y int path '@y') t, a
select * from a tablesample system (10) repeatable (3), b
select * from current_date d, a
select * from cast(1 as int) c, a
select my_function(x), s.other(y), "Weird"(z) from a
select pg_catalog.lower(x), pg_catalog.now() from a
select now(), current_date, current_timestamp(3), localtime from a
select nextval('s'), setval('s', 1), random() from a
select set_config('a.b', 'c', true)
select age(x), age(x, y) from a
select 'now'::timestamptz, date 'today', 'nowhere' from a
select xmin, ctid from a
select * from pg_class
select * from information_schema.tables, pg_catalog.pg_type
select first(x), last(y), filter(z) from a
select * into b from a
select * into temp table b from a where x = 1
select json_object('a': 1, 'b': x), json_array(select x from b), json_arrayagg(x order by y) from a
select xmlelement(name foo, xmlattributes(x as y), x) from a
select (a).b, (a.c).d, a.* from a
select a.x[1:2], a.y[1][2] from a
select * from a where x = 1; select * from b
;; select * from a;
select * from a -- where x = 1
select * from a /* , b /* nested */ , c */ where x = 1
select "a.b"."c" from "a.b"
select * from été, "Été"
select * from a where x = 'a' and y = 1 group by x, y having sum(z) = 3 order by 1
insert into a values (1, 2)
insert into a default values
insert into a (x, y) values (1, 2), (3, default)
insert into a as t (x) values (1)
insert into s.a (x) values ((select max(x) from b))
insert into a select * from b
insert into a (x, y) select x, y from b where z = 1
insert into a (select * from b)
insert into a (x) (select * from b) returning *
insert into a (x) (values (1), (2))
insert into a table b
insert into a (x) values (1) union select 2 from b
insert into a with x as (select * from b) select * from x
insert into a (x) overriding system value values (1)
insert into a (x[1], y.z, w) values (1, 2, 3)
insert into a (x) values (1) on conflict do nothing
insert into a (x, y) values (1, 2) on conflict (x) do update set y = excluded.y
insert into a (x, y) values (1, 2) on conflict (x, lower(y)) where z do update set y = 3, (w, v) = (1, 2) where a.x = 5 returning x
insert into a (x) values (1) on conflict on constraint c do update set x = (select 1 from b)
insert into a select * from b on conflict (x) do nothing returning id, x as y
insert into a select * from b join c on b.id = c.id on conflict do nothing
insert into a select distinct on (x) * from b where y = 1 on conflict do nothing
insert into a (x) values (my_function())
update a set x = 1
update a set x = 1 where id = 2
update a * set x = 1
update only (a) set x = 1
update s.a as t set x = 1, y = t.y + 1 where t.id in (1, 2) and t.z = 'a' returning t.*
update a t set x = b.x from b where t.id = b.id and b.y = 1 and t.z = 2
update a set (x, y) = (1, 2), z = default where id = 1
update a set (x, y) = row(1, 2)
update a set (x, y) = (select x, y from b where b.id = a.id)
update a set x[1] = 2, y.z = 3
update a set x = case when (id = 1) then 'a' when (id = 2) then 'b' else x end where id in (1, 2)
update a set x = (select max(x) from b) where id = (select 1 from c)
update a set x = extract(year from y) from b where a.id = b.id
update a set x = 1 where current of c
update a set x = 1 from (b join c on true) where a.id = 1
delete from a
delete from a where id = 1
delete from only s.a as t using b, c where t.id = b.id and t.x = 1
delete from a where id in (select id from b) returning id
delete from a t using a u where t.x = u.x and t.id = 1
merge into a using b on a.id = b.id when matched then delete
merge into a as t using (select * from b) s on t.id = s.id when matched and s.x = 1 then update set x = s.x, y = 2 when not matched then insert (id, x) values (s.id, s.x) when not matched by source then delete returning merge_action(), t.*
merge into a using b on case when a.id = b.id then true end when matched then do nothing
with x as (select * from b) merge into a using x on a.id = x.id when not matched then insert default values
truncate a
truncate table only a, s.b restart identity cascade
copy a from stdin
copy a (x, y) to stdout
copy (select * from a) to stdout
copy (delete from a returning *) to stdout
`
  .trim()
  .split('\n');

/** Statements that are neither query nor write of rows. */
export const OTHERS: readonly string[] = `
begin
start transaction isolation level serializable
commit
end
abort
rollback
savepoint a
rollback to a
release a
prepare transaction 'x'
commit prepared 'x'
rollback prepared 'x'
set search_path = a
set local role x
reset all
show all
listen x
notify x
vacuum a
analyze a
lock table a
create table a (x int)
create table a as select * from b
create index on a (x)
alter table a add column x int
drop table a
grant select on a to b
refresh materialized view a
do $$ begin end $$
call p(1)
explain select * from a
explain analyze select * from a
explain (analyze, buffers) delete from a
prepare p as select * from a
execute p
deallocate p
declare c cursor for select * from a
fetch 1 from c
close c
comment on table a is 'x'
checkpoint
discard all
reindex table a
cluster a
load 'x'
`
  .trim()
  .split('\n');
