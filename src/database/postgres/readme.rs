//! The README inside each dump: how to load it with nothing but the stock client and a shell.

/// Its name sorts first among the files of a dump.
pub(super) const NAME: &str = "README.txt";

/// The text; it holds for every dump of this format, so that it never changes between runs.
pub(super) const TEXT: &str = r#"This directory is one consistent moment of one PostgreSQL database.

  schema/before-rows.sql       what pg_dump writes with --section=pre-data: types, tables, functions, views
  data/<schema>/<table>/*/*    rows in the text format of COPY, in the encoding of the database
  large-objects/*/*            large objects, as rows of parts: number, place, bytes
  schema/large-objects.jsonl   whose they are: one JSON object per line
  schema/sequences.sql         where the sequences stand
  schema/after-rows.sql        what pg_dump writes with --section=post-data: indexes, constraints, triggers, policies
  zz-manifest.json             the database's own settings, names of tables and columns, row counts, BLAKE3 hashes, the
                               roles, extensions and tablespaces it needs, and what could not be saved

Lifeboat restores all of it, and checks it. To load it by hand with stock tools (needs bash, jq and psql; the roles under
"needs" must exist):

  target=shop_copy             # the database to create
  export PGUSER=postgres       # a superuser; add PGHOST and PGPASSFILE as needed
  export PGOPTIONS='-c lc_monetary=C -c intervalstyle=postgres -c timezone=UTC -c xmloption=content -c client_min_messages=warning'
  psql="psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1"

  $psql -d template1 -v name="$target" -v encoding="$(jq -r .database.encoding zz-manifest.json)" \
    -v collate="$(jq -r .database.collate zz-manifest.json)" -v ctype="$(jq -r .database.ctype zz-manifest.json)" <<'SQL'
  CREATE DATABASE :"name" TEMPLATE template0 ENCODING :'encoding' LC_COLLATE :'collate' LC_CTYPE :'ctype';
  SQL
  export PGDATABASE="$target"
  $psql -f schema/before-rows.sql
  encoding=$(jq -r .database.encoding zz-manifest.json)
  jq -r '.tables[] | . as $t | .files[] | .path + "\t" + ($t.target | @base64)' zz-manifest.json |
  while IFS=$'\t' read -r file into; do
    $psql -c "COPY $(base64 -d <<<"$into") FROM STDIN WITH (ENCODING '$encoding')" < "$file"
  done
  { echo 'CREATE TEMPORARY TABLE lifeboat_parts (oid oid, part int8, data bytea);'
    echo 'COPY lifeboat_parts FROM STDIN;'
    jq -r '.large_objects.files[].path' zz-manifest.json | while read -r file; do cat "$file"; done
    echo '\.'
    echo 'DO $$ DECLARE p record; BEGIN
            FOR p IN SELECT * FROM lifeboat_parts ORDER BY oid, part LOOP
              IF p.part = 0 THEN PERFORM lo_from_bytea(p.oid, p.data); ELSE PERFORM lo_put(p.oid, p.part * 131072, p.data); END IF;
            END LOOP; END $$;'
  } | $psql
  $psql -f schema/sequences.sql > /dev/null
  $psql -f schema/after-rows.sql
  export PGOPTIONS="$PGOPTIONS -c session_replication_role=replica"     # event triggers stay quiet
  jq -r '.filled_views[] | "REFRESH MATERIALIZED VIEW " + . + ";"' zz-manifest.json | $psql
"#;
