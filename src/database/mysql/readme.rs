//! The README inside each dump: how to load it with nothing but the stock client and a shell.

/// Its name sorts first among the files of a dump.
pub(super) const NAME: &str = "README.txt";

/// The text; it holds for every dump of this format, so that it never changes between runs.
pub(super) const TEXT: &str = r#"This directory is one consistent moment of one MariaDB or MySQL schema.

  schema/database.sql       CREATE DATABASE
  schema/tables/*.sql       CREATE TABLE, one file per table, as the server printed it
  schema/grants.jsonl       if asked for: accounts, and what they may do in this schema
  schema/objects.jsonl      sequences, routines, packages, views, triggers, events: one JSON object per line, in the
                            order of creation, with the sql_mode, character set and time zone each was created under
  data/<table>/*/*.tsv      rows in the default format of LOAD DATA: tabs, newlines, backslash escapes, \N for NULL;
                            every column in its own character set, times in UTC
  zz-manifest.json          the real names of tables and columns, row counts, BLAKE3 hashes, and what could not be saved

Lifeboat restores all of it, and checks it. To restore it by hand with stock tools (needs bash, jq and the mariadb or
mysql client; the target schema must not exist yet):

  target=shop_copy          # what it is to be called; another name than before leaves defaults from sequences behind
  client="mariadb --local-infile=1 --default-character-set=binary --batch"     # add --user and --password as needed

  $client -e "CREATE DATABASE \`$target\`"
  setup="SET time_zone='+00:00', sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', foreign_key_checks=0"
  maria="/*M!100200 SET check_constraint_checks=0 */; /*M!101100 SET system_versioning_insert_history=1 */"
  jq -c 'select(.kind == "sequence") | .sql, .set_value' schema/objects.jsonl | jq -r '. + ";"' |
    $client --default-character-set=utf8mb4 "$target"
  jq -r '.tables[] | .definition' zz-manifest.json | while read -r file; do
    { echo "$setup; $maria;"; cat "$file"; echo ';'; } | $client --default-character-set=utf8mb4 "$target"
  done
  jq -r 'def special: .kind | IN("utf8", "enum-number", "bit");
    def counts: .type | test("^(tiny|small|medium|big)?int|^float|^double");
    .tables[] | . as $t | any($t.columns[]; special) as $sets | .files[] | .path + "\t" + ({
      table: $t.name | gsub("`"; "``"),
      into: [$t.columns | to_entries[] | if (.value | special or ($sets and counts)) then "@v\(.key)"
             else "`" + (.value.name | gsub("`"; "``")) + "`" end] | join(","),
      set: [$t.columns | to_entries[] | ("`" + (.value.name | gsub("`"; "``")) + "`=") as $name | "@v\(.key)" as $v |
            if .value.kind == "utf8" then $name + "CONVERT(\($v) USING utf8mb4)"
            elif .value.kind == "enum-number" then $name + $v + "+0"
            elif .value.kind == "bit" then $name + "CAST(CONV(HEX(\($v)),16,10) AS UNSIGNED)"
            elif ($sets and (.value | counts)) then $name + $v else empty end] | join(",")
    } | " INTO TABLE `\(.table)` CHARACTER SET binary (\(.into))" + if .set == "" then "" else " SET \(.set)" end
      | @base64)' zz-manifest.json |
  while IFS=$'\t' read -r file sql; do
    $client "$target" -e "$setup; $maria; LOAD DATA LOCAL INFILE '$file'$(base64 -d <<<"$sql")" </dev/null
  done
  jq -r 'def text: "'"'"'" + gsub("'"'"'"; "'"''"'") + "'"'"'";
    select(.kind != "sequence" and (.broken | not)) | [([
      "SET NAMES utf8mb4; SET sql_mode=\(.sql_mode // "" | text), time_zone=\(.time_zone // "+00:00" | text);",
      (.database_collation // empty | "ALTER DATABASE COLLATE \(text);"),
      (.collation_connection // empty | "SET collation_connection=\(text);"),
      (select(.sql and (.sql | explode | max) < 128) | .character_set_client // empty | "SET character_set_client=\(text);")
    ] | join("\n") | @base64), (.sql // "" | @base64), .sql_hex // ""] | join("|")' schema/objects.jsonl |
  while IFS='|' read -r before sql hex; do
    base64 -d <<<"$before"; printf '\nDELIMITER ;;end;;\n'
    base64 -d <<<"$sql"; printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")"; printf '\n;;end;;\nDELIMITER ;\n'
  done | $client --default-character-set=utf8mb4 "$target"
  sed "s/^CREATE DATABASE [^ ]* /ALTER DATABASE /" schema/database.sql | $client "$target"

What objects.jsonl calls broken no server will create. schema/grants.jsonl, where it is there, has statements to be run by
hand: accounts, and what they may do.
"#;
