//! Every keyword as the name of a function: what the servers call is no secret to the classifier.

use sqlparser::keywords::ALL_KEYWORDS;

use super::{Form, harmless};
use crate::statement::{Classifier, Dialect, Reading};

/// Keywords of which SQLite 3.40 calls no function, where a program has one of each name.
const SQLITE: &str = "\
    add all alter and as autoincrement between case cast check collate commit constraint create cross \
    current_date current_time current_timestamp default deferrable delete distinct drop else escape except \
    exists foreign from full group having in index inner insert intersect into is join left limit natural not \
    nothing notnull null offsets on optimize or order outer primary raise references returning right select set \
    table then to transaction union unique update using values when where";

/// Those of which PostgreSQL 15 calls no function, where a schema has one of each name.
const POSTGRES: &str = "\
    all analyze and any array as asc asymmetric between bigint bit boolean both case cast char character check \
    coalesce collate column constraint create current_catalog current_date current_role current_time \
    current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists \
    extract false fetch float for foreign from grant group grouping having in initially inout int integer \
    intersect interval into lateral leading least limit localtime localtimestamp national nchar none normalize \
    not null nullif numeric offset on only operator or order out placing position precision primary real \
    references returning row select session_user setof smallint some symmetric table then time timestamp to \
    trailing treat trim true union unique user using values varchar variadic when where window with \
    xmlnamespaces xmltable";

/// Those of which MariaDB 10.11 calls no stored function, where a database has one of each name.
const MARIADB: &str = "\
    abs add all alter analyze and any as asc asensitive avg backup before begin between bigint binary bit blob \
    bool boolean both by cache call cascade case cast ceil ceiling change char char_length character \
    character_length charset check checksum clob close coalesce collate collation column comment commit compress \
    condition constraint contains continue convert count create cross cume_dist current_date current_role \
    current_time current_timestamp current_user cursor database databases date datetime day dayofweek dayofyear \
    deallocate dec decimal declare default delayed delete dense_rank desc describe deterministic distinct \
    distinctrow div do double drop each else elseif end endpoint enum equals escaped except exclude execute \
    exists exp explain extract false fetch first_value float float4 float8 floor flush following for force \
    foreign format from fulltext function get global grant group having high_priority hour id if ignore in index \
    inner inout insensitive insert install int int2 int4 int8 integer intersect interval into is join json key \
    keys kill lag language last_value lead leading least left like limit lines ln load local localtime \
    localtimestamp lock log long longblob longtext low_priority lower match max maxvalue mediumblob mediumint \
    mediumtext microsecond min minute mod modifies month names national natural nchar no no_write_to_binlog not \
    nth_value ntile null nullif number numeric nvarchar octet_length offset on open optimize option options or \
    order out outer over overlaps owner parser partition password percent_rank percentile_cont percentile_disc \
    period polygon portion position power precedes preceding precision prepare primary procedure purge quarter \
    quote range rank raw read reads real recursive references regexp release remove rename repair replace \
    replica require reset restrict return returning revoke right rlike role rollback row row_number rows \
    savepoint schema schemas second security select sensitive separator server session session_user set show \
    signed smallint some spatial specific sql sql_big_result sql_buffer_result sql_calc_found_rows sql_no_cache \
    sql_small_result sqlexception sqlstate sqlwarning sqrt srid start stats_auto_recalc stats_persistent \
    stats_sample_pages stddev_pop stddev_samp stored straight_join substr substring sum system_user table \
    terminated text then ties time timestamp tinyblob tinyint tinytext to trailing trigger trim true truncate \
    unbounded union unique unlock unsigned update upper usage use user using uuid value values var_pop var_samp \
    varbinary varchar varchar2 varying version week when where while window with within wrapper write xor year";

/// Where a function may be called. `@` is its name.
const PLACES: &[&str] = &[
    "SELECT @(1)",
    "SELECT a, @(b) FROM t",
    "SELECT 1 + @(1), (@(2))",
    "SELECT CASE WHEN @(1) THEN 2 END",
    "SELECT f(@(1)) WHERE NOT @(1)",
];

/// The places where a statement calls a function in silence, in one reading.
fn silent(classifier: &Classifier, reading: Reading, name: &str) -> Vec<String> {
    let calls = |sql: &String| {
        let statement = classifier.classify_by(reading, sql)?;
        let functions = &statement.effects().functions;
        let own = functions
            .iter()
            .any(|function| function.name().eq_ignore_ascii_case(name.trim_matches(['"', '`'])));
        Some(
            own || statement.operation() != router_core::Operation::Read
                || !statement.effects().asks.is_empty(),
        )
    };
    PLACES.iter().map(|place| place.replace('@', name)).filter(|sql| calls(sql) == Some(false)).collect()
}

fn check(dialect: Dialect, no_functions: &str, quote: char) {
    let no_functions: Vec<_> = no_functions.split_whitespace().collect();
    let classifier = Classifier::new(dialect);
    let mut problems = Vec::new();
    for keyword in
        ALL_KEYWORDS.iter().filter(|word| !word.contains('-')).map(|word| word.to_ascii_lowercase())
    {
        let known = harmless(dialect).get(keyword.as_str());
        for reading in [Reading::Parsed, Reading::Tokens] {
            if known.is_none() && !no_functions.contains(&keyword.as_str()) {
                problems.extend(silent(&classifier, reading, &keyword));
            }
            if known != Some(&Form::Any) {
                problems.extend(silent(&classifier, reading, &format!("{quote}{keyword}{quote}")));
            }
        }
    }
    assert!(problems.is_empty(), "{} in {dialect}:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn no_keyword_hides_a_function_in_sqlite() {
    check(Dialect::Sqlite, SQLITE, '"');
}

#[test]
fn no_keyword_hides_a_function_in_postgres() {
    check(Dialect::Postgres, POSTGRES, '"');
}

#[test]
fn no_keyword_hides_a_function_in_mysql() {
    check(Dialect::Mysql, MARIADB, '`');
}
