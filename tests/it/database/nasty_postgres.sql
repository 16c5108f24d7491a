-- Everything that a dump of PostgreSQL is known to lose or to get wrong, in one database.
\set ON_ERROR_STOP 1
CREATE ROLE "Köhler ""O'Neil""" NOLOGIN; CREATE ROLE reader NOLOGIN; CREATE ROLE owner_b NOLOGIN;
CREATE DATABASE nasty OWNER owner_b CONNECTION LIMIT 20;
COMMENT ON DATABASE nasty IS 'it''s \ "nasty"';
ALTER DATABASE nasty SET work_mem TO '5MB';
ALTER DATABASE nasty SET search_path TO "Od""d Schéma", "$user", public;
ALTER DATABASE nasty SET datestyle TO 'SQL, DMY';
ALTER DATABASE nasty SET intervalstyle TO 'sql_standard';
ALTER DATABASE nasty SET extra_float_digits TO -5;
ALTER DATABASE nasty SET bytea_output TO 'escape';
ALTER DATABASE nasty SET timezone TO 'Asia/Kathmandu';
ALTER DATABASE nasty SET my.own TO 'it''s, so';
ALTER ROLE reader IN DATABASE nasty SET statement_timeout TO '1s';
REVOKE CONNECT ON DATABASE nasty FROM PUBLIC; GRANT CONNECT, TEMPORARY ON DATABASE nasty TO reader WITH GRANT OPTION;
\connect nasty
SET datestyle='ISO, YMD'; SET intervalstyle='postgres'; SET timezone='UTC'; SET search_path=public;
CREATE EXTENSION hstore; CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist;
CREATE SCHEMA "Od""d Schéma" AUTHORIZATION "Köhler ""O'Neil"""; CREATE SCHEMA empty; COMMENT ON SCHEMA empty IS 'nothing';
GRANT USAGE ON SCHEMA "Od""d Schéma" TO reader; ALTER DEFAULT PRIVILEGES IN SCHEMA empty GRANT SELECT ON TABLES TO reader;

CREATE TYPE mood AS ENUM ('sad', 'o''k', 'very "happy"', '');
CREATE TYPE point3 AS (x double precision, y numeric(9,3), label text);
CREATE TYPE price_range AS RANGE (subtype = numeric, multirange_type_name = price_multi);
CREATE DOMAIN positive AS integer CONSTRAINT above CHECK (VALUE > 0); CREATE DOMAIN post_code AS text COLLATE "C" NOT NULL DEFAULT '00000' CHECK (VALUE ~ '^\d{5}$');
CREATE COLLATION numeric_de (provider = icu, locale = 'de-u-kn-true'); CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE everything (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH -5 INCREMENT BY 3 MINVALUE -100) PRIMARY KEY,
  a smallint, b integer, c bigint, d numeric, e numeric(30,10), f real, g double precision, h money, i boolean,
  j char(5), k varchar(20), l text, m "char", n name, o bytea, p date, q time, r time with time zone, s timestamp, t timestamp with time zone,
  u interval, v uuid, w json, x jsonb, y xml, z inet, aa cidr, ab macaddr, ac macaddr8, ad bit(5), ae bit varying(9),
  af point, ag line, ah lseg, ai box, aj path, ak polygon, al circle, am int4range, an tstzrange, ao nummultirange, ap tsvector, aq tsquery,
  ar integer[][], at text[], au mood, av mood[], aw point3, ax point3[], ay positive, az post_code, ba price_range, bb price_multi,
  bc hstore, bd citext, be regclass, bf regproc, bg regtype, bh pg_lsn, bi oid, bj xid8, bk jsonpath,
  bl text COLLATE numeric_de, bm integer GENERATED ALWAYS AS (a::integer * 2) STORED, bn int2vector);
INSERT INTO everything (a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,aa,ab,ac,ad,ae,af,ag,ah,ai,aj,ak,al,am,an,ao,ap,aq,ar,at,au,av,aw,ax,ay,az,ba,bb,bc,bd,be,bf,bg,bh,bi,bj,bk,bl,bn) VALUES
 (-32768,-2147483648,-9223372036854775808,'NaN',1.0000000001,'NaN','-Infinity','-92233720368547758.08',true,'ab','v','tab	new
line \ back \. \N \t ''"`','a','name','\x00ff5c0a0d09','4713-01-01 BC','24:00:00','00:00:00+15:59','-infinity','infinity','-178000000 years',
  '00000000-0000-0000-0000-000000000000','{"a" : 1,  "a":2}','{"b": 1.10, "a": null}','<a>&lt;b/&gt;</a>','::1/64','10.0.0.0/8','08:00:2b:01:02:03','08:00:2b:01:02:03:04:05','10101','1',
  '(1e300,-0)','{1,2,3}','[(0,0),(1,1)]','(1,1),(0,0)','[(0,0),(1,1)]','((0,0),(1,1),(1,0))','<(0,0),5>','empty','[2020-01-01 00:00:00+00,)','{[1,2),[3,4]}','''a'':1A ''b c'':2','a & !b',
  '[2:3][-1:0]={{1,2},{3,NULL}}','{"",NULL,"NULL","a,b","{","\"","\\"}','o''k','{sad,""}','(1.5,2.250,"a,""b")','{"(1,2,x)",NULL}',1,'12345','(0.5,]','{(1,2),[3,4]}',
  'a=>1,b=>NULL,"c d"=>"\"x"','MiXeD','everything','now','integer[]','16/B374D848',4294967295,'18446744073709551615','$.a[*] ? (@ > 1)','ä10','1 2 3'),
 (32767,2147483647/2,9223372036854775807,'Infinity',-99999999999999999999.9999999999,1.17549435e-38,5e-324,'0.01',false,'','', '', ' ', '', '', '5874897-12-31','00:00:00','23:59:59.999999-15:59','0001-01-01 00:00:00 BC','294276-12-31 23:59:59.999999+00','1 mon -1 days +02:03:04.000005',
  'ffffffff-ffff-ffff-ffff-ffffffffffff','null','"x"','','1.2.3.4','0.0.0.0/0','ff:ff:ff:ff:ff:ff','ff:ff:ff:ff:ff:ff:ff:ff','00000','',
  '(NaN,Infinity)','{-1,0,0.1}','[(0,0),(0,0)]','(0,0),(0,0)','((0,0),(1,1))','((0,0))','<(1,2),0>','[1,10)','(,)','{}','','','{}','{}','','{}',NULL,'{}',2147483647,'00000','empty','{}','','','pg_catalog.pg_class','pg_catalog.now','mood','0/0',0,'0','strict $','ä9',''),
 (NULL,NULL,NULL,0.10,NULL,0.1,0.1,NULL,NULL,NULL,NULL,U&'\00e9\+01f600 e'||U&'\0301',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'0',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'99999',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO everything (f,g,az) VALUES ('-0','-0','00001'), (16777216, 0.1::float8+0.2, '00002'), (3.4028235e38, 1.7976931348623157e308, '00003');
COMMENT ON TABLE everything IS E'two\nlines; \\ ''quoted'''; COMMENT ON COLUMN everything.b IS '';
ALTER TABLE everything ALTER COLUMN l SET STORAGE EXTERNAL; ALTER TABLE everything ALTER COLUMN b SET STATISTICS 500;

-- Hostile names.
CREATE TABLE "Od""d Schéma"."ta""ble; DROP -- é '$$ \ %" ("co""l; --" integer PRIMARY KEY, "select" text DEFAULT $x$it's; -- $x$, "a.b" int, "tab	" int);
INSERT INTO "Od""d Schéma"."ta""ble; DROP -- é '$$ \ %" VALUES (1, 'x', 1, 2), (-1, '\.', NULL, NULL);
CREATE TABLE "." ("." int); INSERT INTO "." VALUES (1); CREATE TABLE ".." (x int); CREATE TABLE "UPPER" (x int); CREATE TABLE "upper" (x int); INSERT INTO "UPPER" VALUES (1);
CREATE TABLE long_name_long_name_long_name_long_name_long_name_long_name_xyz (x int PRIMARY KEY);
CREATE TABLE "new
line" ("new
column" int); INSERT INTO "new
line" VALUES (5);

-- Tables without columns, without a key, with other keys.
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE only_generated (x int GENERATED ALWAYS AS (7) STORED); INSERT INTO only_generated DEFAULT VALUES;
CREATE TABLE one_text (t text); INSERT INTO one_text VALUES ('\.'), (''), (NULL), ('\N'), (E'\\.\n\\.');
CREATE TABLE no_key (a int, b text); INSERT INTO no_key SELECT i % 7, repeat('r', i % 50) FROM generate_series(1, 4000) i; DELETE FROM no_key WHERE a = 3; INSERT INTO no_key VALUES (1, NULL), (1, NULL);
CREATE TABLE text_key (k text PRIMARY KEY, n int) ; INSERT INTO text_key SELECT chr(64 + i) || chr(96 + i % 26) || E'\t\\' || i, i FROM generate_series(1, 3000) i;
CREATE TABLE two_key (a uuid, b citext, c mood, v bytea, PRIMARY KEY (b, c, a)); INSERT INTO two_key SELECT md5(i::text)::uuid, 'Kéy' || i % 9, 'sad', decode(md5(i::text), 'hex') FROM generate_series(1, 3000) i;
CREATE TABLE unique_key (a int NOT NULL, b int, c date NOT NULL); CREATE UNIQUE INDEX ON unique_key (c, a) INCLUDE (b); CREATE UNIQUE INDEX "partial" ON unique_key (b) WHERE b > 5; INSERT INTO unique_key VALUES (1, NULL, '2020-02-29'), (2, 9, '0044-03-15 BC');
CREATE TABLE folded_key (k text COLLATE folded PRIMARY KEY); INSERT INTO folded_key VALUES ('Straße'), ('a'), ('Z'), ('b');
CREATE TABLE dropped (gone int, a int, gone2 text, b text); INSERT INTO dropped VALUES (1, 2, 'x', 'y'); ALTER TABLE dropped DROP COLUMN gone, DROP COLUMN gone2, ADD COLUMN c int DEFAULT 5;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); INSERT INTO unlogged VALUES (1);
CREATE TABLE wide (id int PRIMARY KEY, body text); INSERT INTO wide SELECT i, repeat(md5(i::text), 40000) FROM generate_series(1, 3) i;
CREATE TABLE many (id serial PRIMARY KEY, body text); INSERT INTO many (body) SELECT repeat(md5(i::text), 4) FROM generate_series(1, 8000) i; DELETE FROM many WHERE id % 3 = 0;

-- Partitions and inheritance.
CREATE TABLE part (id int, at date, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_2020 PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE part_2021 PARTITION OF part FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY HASH (id);
CREATE TABLE part_2021_0 PARTITION OF part_2021 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE part_2021_1 PARTITION OF part_2021 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE part_rest (note text, at date NOT NULL, id int NOT NULL); ALTER TABLE part ATTACH PARTITION part_rest DEFAULT; CREATE INDEX ON part (note);
INSERT INTO part SELECT i, date '2019-12-20' + i * 3, 'n' || i FROM generate_series(1, 400) i;
CREATE TABLE parent (id int PRIMARY KEY, name text CHECK (name <> 'x')); CREATE TABLE child (extra int) INHERITS (parent); CREATE TABLE grandchild (more text) INHERITS (child, text_key);
INSERT INTO parent VALUES (1, 'parent'); INSERT INTO child VALUES (1, 'child', 2); INSERT INTO grandchild VALUES (1, 'grand', 3, 'k', 4, 'more');

-- Foreign keys: circular, deferred, to itself, not valid.
CREATE TABLE hen (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen DEFERRABLE INITIALLY DEFERRED, boss int REFERENCES egg ON DELETE CASCADE);
ALTER TABLE hen ADD CONSTRAINT of_egg FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO hen VALUES (1, 1), (2, NULL); INSERT INTO egg VALUES (1, 2, 2), (2, 1, 1); COMMIT;
CREATE TABLE orphan (id int); INSERT INTO orphan VALUES (77); ALTER TABLE orphan ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES hen NOT VALID; ALTER TABLE orphan ADD CONSTRAINT small CHECK (id < 10) NOT VALID;
CREATE TABLE booking (room int, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&)); INSERT INTO booking VALUES (1, '[2020-01-01,2020-01-02)');

-- Routines.
CREATE FUNCTION twice(x int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN x * 2;
CREATE FUNCTION quoted() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $body$ BEGIN /* $$ */ RETURN E'\\restrict x\n'';'; END $body$;
CREATE FUNCTION atomic() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT id FROM hen; END;
CREATE PROCEDURE later() LANGUAGE plpgsql AS $$ BEGIN PERFORM * FROM does_not_exist_yet; END $$;
CREATE FUNCTION meta() RETURNS text LANGUAGE sql AS $$
SELECT '
\\restrict nothing
'
$$ ;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := COALESCE(NEW.name, 'noted') || '!'; RETURN NEW; END $$;
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger fired during a restore'; END $$;
CREATE AGGREGATE product (int) (SFUNC = int4mul, STYPE = int, INITCOND = '1');
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, COMMUTATOR = ===); CREATE CAST (point3 AS text) WITH INOUT;

-- Triggers, rules, views, policies.
CREATE TRIGGER note BEFORE INSERT OR UPDATE OF name ON parent FOR EACH ROW WHEN (NEW.id > 5) EXECUTE FUNCTION noted();
CREATE TRIGGER off BEFORE INSERT ON many FOR EACH ROW EXECUTE FUNCTION never(); ALTER TABLE many DISABLE TRIGGER off;
CREATE TRIGGER loud BEFORE INSERT OR UPDATE OR DELETE ON no_key FOR EACH STATEMENT EXECUTE FUNCTION never();
CREATE TRIGGER replica BEFORE INSERT ON text_key FOR EACH ROW EXECUTE FUNCTION never(); ALTER TABLE text_key ENABLE REPLICA TRIGGER replica;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON unique_key DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION never();
CREATE RULE away AS ON INSERT TO wide DO INSTEAD NOTHING;
CREATE VIEW v_egg AS SELECT h.id, e.id AS egg FROM hen h LEFT JOIN egg e ON e.hen = h.id;
CREATE VIEW v_hen WITH (security_barrier) AS SELECT id, egg FROM hen WHERE id > 0 WITH CASCADED CHECK OPTION;
CREATE VIEW v_group AS SELECT p.id, p.name, count(*) FROM parent p GROUP BY p.id; CREATE RECURSIVE VIEW v_count (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM v_count WHERE n < 5;
CREATE MATERIALIZED VIEW a_upper AS SELECT 1 AS n; DROP MATERIALIZED VIEW a_upper;
CREATE MATERIALIZED VIEW z_lower AS SELECT a, count(*) AS n FROM no_key GROUP BY a; CREATE MATERIALIZED VIEW a_upper AS SELECT sum(n) AS n FROM z_lower; CREATE MATERIALIZED VIEW not_filled AS SELECT 1 AS x WITH NO DATA;
CREATE UNIQUE INDEX ON z_lower (a); COMMENT ON MATERIALIZED VIEW z_lower IS 'counted';
CREATE TABLE secret (id int PRIMARY KEY, whose text); INSERT INTO secret VALUES (1, 'postgres'), (2, 'reader'); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON secret AS RESTRICTIVE FOR SELECT TO reader USING (whose = current_user) ; CREATE POLICY "some 'more'" ON secret USING (true) WITH CHECK (id > 0);
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'an event trigger fired during a restore'; END $$;

-- Indexes, statistics, text search, sequences.
CREATE INDEX "an ""index""" ON text_key USING gin (k gin_trgm_ops); CREATE INDEX ON everything (lower(l) DESC NULLS LAST, (b + 1)) WHERE b IS NOT NULL; CREATE INDEX ON many USING brin (id); CLUSTER text_key USING text_key_pkey;
CREATE STATISTICS corr (dependencies, ndistinct) ON a, b FROM no_key; CREATE TEXT SEARCH CONFIGURATION mine (COPY = simple);
CREATE SEQUENCE never_called START 100; CREATE SEQUENCE called INCREMENT -7 MAXVALUE 50 MINVALUE -1000 CYCLE CACHE 3; SELECT nextval('called'), nextval('called'); SELECT setval('many_id_seq', 123456, false);
CREATE SEQUENCE small AS smallint OWNED BY dropped.a; ALTER TABLE dropped ALTER a SET DEFAULT nextval('small'); SELECT nextval('small');
CREATE SEQUENCE "Od""d Schéma"."se'q
""x"; SELECT setval('"Od""d Schéma"."se''q
""x"', 42);
CREATE PUBLICATION pub FOR TABLE hen, egg;

-- Large objects.
SELECT lo_from_bytea(70001, ''); SELECT lo_from_bytea(70002, decode(repeat('00ff5c0a', 100000), 'hex')); SELECT lo_from_bytea(70003, decode(repeat('ab', 131072), 'hex')); SELECT lo_from_bytea(4294967290, '\x01');
ALTER LARGE OBJECT 70002 OWNER TO owner_b; GRANT SELECT ON LARGE OBJECT 70002 TO reader; COMMENT ON LARGE OBJECT 70003 IS 'one part exactly'; GRANT UPDATE ON LARGE OBJECT 70003 TO PUBLIC;

-- Owners and rights.
ALTER TABLE hen OWNER TO owner_b; ALTER TABLE text_key OWNER TO "Köhler ""O'Neil"""; ALTER FUNCTION twice OWNER TO owner_b; ALTER TYPE mood OWNER TO owner_b;
GRANT SELECT (id), UPDATE (name) ON parent TO reader; GRANT ALL ON egg TO PUBLIC; GRANT EXECUTE ON FUNCTION quoted TO reader; REVOKE EXECUTE ON FUNCTION quoted FROM PUBLIC; GRANT USAGE ON SEQUENCE called TO reader WITH GRANT OPTION;
CREATE EVENT TRIGGER loud ON ddl_command_start WHEN TAG IN ('REFRESH MATERIALIZED VIEW', 'CREATE INDEX', 'ALTER TABLE') EXECUTE FUNCTION on_ddl();
