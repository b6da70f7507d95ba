//! `migrate`, `plan` and `status`.
#![cfg(feature = "sqlite")]

use std::time::Duration;

use diesel::SqliteConnection;
use router_cli::Exit;
use router_core::{Alias, Hints, Model, Router};
use router_diesel::config::Config;
use router_diesel::tasks;

use crate::assert_shown;
use crate::world::World;

#[test]
fn everything_that_is_pending_is_run_once() {
    let world = World::migrated();
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done       not done  time
    default     done     1 applied  - TIME
    blog_owner  done     2 applied  - TIME
    shop_db     done     1 applied  - TIME
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    "#);
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 0
    --- stdout
    database    outcome     done  not done  time
    default     up to date  -     - TIME
    blog_owner  up to date  -     - TIME
    shop_db     up to date  -     - TIME
    --- stderr
    "#);
    assert_shown!(world.show(["migrate", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"default","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"blog_owner","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"shop_db","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}
    --- stderr
    "#);
}

#[test]
fn what_was_done_as_json() {
    let world = World::migrated();
    assert_shown!(world.show(["migrate", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"default","outcome":"done","done":[{"app":"users","version":"1","name":"1_users","action":"applied","ms":TIME}],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"blog_owner","outcome":"done","done":[{"app":"blog","version":"1","name":"1_posts","action":"applied","ms":TIME},{"app":"blog","version":"2","name":"2_comments","action":"applied","ms":TIME}],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"shop_db","outcome":"done","done":[{"app":"shop","version":"1","name":"1_products","action":"applied","ms":TIME}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    "#);
}

#[test]
fn a_failure_is_told_with_what_was_done_before_it() {
    let world = World::migrated();
    world.migration("blog/3_broken", "CREATE TABLE broken (id INTEGER);\nCREATE TALBE x (id INTEGER);", "");
    world.migration("blog/4_later", "CREATE TABLE later (id INTEGER);", "");
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 4
    --- stdout
    database    outcome      done       not done  time
    default     done         1 applied  - TIME
    blog_owner  failed       2 applied  2 TIME
    shop_db     not started  -          -         -
    default: done; applied: users/1_users
    blog_owner: failed; applied: blog/1_posts, blog/2_comments; not applied: blog/3_broken, blog/4_later
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    blog_owner: 4 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    blog_owner: applying blog/3_broken
    blog_owner: failed at blog/3_broken
    error: FOLDER/migrations/blog/3_broken/up.sql: migration `3_broken` of app `blog` failed on `blog_owner`: near "TALBE": syntax error; nothing of it was changed
    "#);
    assert_shown!(world.show(["migrate", "--on-error", "continue"]), @r#"
    exit: 4
    --- stdout
    database    outcome     done       not done  time
    default     up to date  -          - TIME
    blog_owner  failed      -          2 TIME
    shop_db     done        1 applied  - TIME
    blog_owner: failed; not applied: blog/3_broken, blog/4_later
    shop_db: done; applied: shop/1_products
    --- stderr
    blog_owner: 2 migrations to run
    blog_owner: applying blog/3_broken
    blog_owner: failed at blog/3_broken
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    error: FOLDER/migrations/blog/3_broken/up.sql: migration `3_broken` of app `blog` failed on `blog_owner`: near "TALBE": syntax error; nothing of it was changed
    "#);
    assert_shown!(world.show(["migrate", "--format", "json"]), @r#"
    exit: 4
    --- stdout
    {"databases":[{"database":"default","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"blog_owner","outcome":"failed","done":[],"not_done":[{"app":"blog","version":"3","name":"3_broken"},{"app":"blog","version":"4","name":"4_later"}],"warnings":[],"ms":TIME,"later":0},{"database":"shop_db","outcome":"not started","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[{"kind":"failed","database":"blog_owner","app":"blog","version":"3","file":"FOLDER/migrations/blog/3_broken/up.sql","message":"migration `3_broken` of app `blog` failed on `blog_owner`: near \"TALBE\": syntax error; nothing of it was changed","help":null}],"problems":[]}
    --- stderr
    blog_owner: 2 migrations to run
    blog_owner: applying blog/3_broken
    blog_owner: failed at blog/3_broken
    error: FOLDER/migrations/blog/3_broken/up.sql: migration `3_broken` of app `blog` failed on `blog_owner`: near "TALBE": syntax error; nothing of it was changed
    "#);
}

#[test]
fn a_canary_that_fails_keeps_the_others_from_beginning() {
    let world = World::migrated();
    world.migration("blog/3_broken", "CREATE TALBE x (id INTEGER);", "");
    assert_shown!(world.show(["migrate", "--canary", "blog_db", "--jobs", "2"]), @r#"
    exit: 4
    --- stdout
    database    outcome      done       not done  time
    default     not started  -          -         -
    blog_owner  failed       2 applied  1 TIME
    shop_db     not started  -          -         -
    blog_owner: failed; applied: blog/1_posts, blog/2_comments; not applied: blog/3_broken
    --- stderr
    blog_owner: 3 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    blog_owner: applying blog/3_broken
    blog_owner: failed at blog/3_broken
    error: FOLDER/migrations/blog/3_broken/up.sql: migration `3_broken` of app `blog` failed on `blog_owner`: near "TALBE": syntax error; nothing of it was changed
    "#);
}

#[test]
fn a_database_that_cannot_be_reached_does_not_hide_the_others() {
    let world = World::migrated();
    std::fs::create_dir(world.path("blog.sqlite3")).unwrap();
    assert_shown!(world.show(["migrate", "--on-error", "continue"]), @r#"
    exit: 3
    --- stdout
    database    outcome  done       not done  time
    default     done     1 applied  - TIME
    blog_owner  failed   -          - TIME
    shop_db     done     1 applied  - TIME
    default: done; applied: users/1_users
    shop_db: done; applied: shop/1_products
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    error: database `blog_owner` cannot be reached: unable to open database file
    "#);
    assert_shown!(world.show(["plan"]), @r#"
    exit: 3
    --- stdout
    database    migration  in a transaction  file
    blog_owner  unknown    -                 it cannot be reached
    --- stderr
    error: database `blog_owner` cannot be reached: unable to open database file
    "#);
    assert_shown!(world.show(["status"]), @r#"
    exit: 3
    --- stdout
    database    migration        state    applied at
    default     users/1_users    applied  WHEN
    blog_owner  -                unknown  -                    it cannot be reached
    shop_db     shop/1_products  applied  WHEN
    --- stderr
    error: database `blog_owner` cannot be reached: unable to open database file
    "#);
    assert_shown!(world.show(["status", "--format", "json"]), @r#"
    exit: 3
    --- stdout
    {"clean":false,"databases":[{"database":"default","history":"default","migrations":[{"app":"users","version":"1","name":"1_users","state":"applied","applied_at":"WHEN","ms":TIME,"file":"FOLDER/migrations/users/1_users/up.sql","detail":null,"help":null}],"failure":null,"warnings":[]},{"database":"blog_owner","history":"default","migrations":[],"failure":{"kind":"unreachable","database":"blog_owner","app":null,"version":null,"file":null,"message":"database `blog_owner` cannot be reached: unable to open database file","help":null},"warnings":[]},{"database":"shop_db","history":"shop_db","migrations":[{"app":"shop","version":"1","name":"1_products","state":"applied","applied_at":"WHEN","ms":TIME,"file":"FOLDER/migrations/shop/1_products/up.sql","detail":null,"help":null}],"failure":null,"warnings":[]}],"problems":[]}
    --- stderr
    error: database `blog_owner` cannot be reached: unable to open database file
    "#);
}

#[test]
fn what_needs_a_table_of_another_database_is_refused_before_anything_runs() {
    let world = World::migrated();
    world.migration(
        "blog/3_authors",
        "ALTER TABLE posts\n  ADD COLUMN author INTEGER REFERENCES users (id);",
        "",
    );
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error[ReferenceElsewhere]: FOLDER/migrations/blog/3_authors/up.sql:2: refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`
      help: keep the id column, drop the constraint
    nothing was run
    "#);
    assert_shown!(world.show(["migrate", "--format", "json"]), @r#"
    exit: 2
    --- stdout
    {"databases":[],"failures":[],"problems":[{"code":"ReferenceElsewhere","app":"blog","version":"3","databases":["blog_owner"],"file":"FOLDER/migrations/blog/3_authors/up.sql","line":2,"message":"refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`","help":"keep the id column, drop the constraint"}]}
    --- stderr
    error[ReferenceElsewhere]: FOLDER/migrations/blog/3_authors/up.sql:2: refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`
      help: keep the id column, drop the constraint
    nothing was run
    "#);
    assert_shown!(world.show(["plan"]), @r#"
    exit: 2
    --- stdout
    database    migration        in a transaction  file
    default     users/1_users    yes               FOLDER/migrations/users/1_users/up.sql
    blog_owner  blog/1_posts     yes               FOLDER/migrations/blog/1_posts/up.sql
    blog_owner  blog/2_comments  yes               FOLDER/migrations/blog/2_comments/up.sql
    blog_owner  blog/3_authors   yes               FOLDER/migrations/blog/3_authors/up.sql
    shop_db     shop/1_products  yes               FOLDER/migrations/shop/1_products/up.sql
    --- stderr
    error[ReferenceElsewhere]: FOLDER/migrations/blog/3_authors/up.sql:2: refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`
      help: keep the id column, drop the constraint
    "#);
    assert!(!world.path("default.sqlite3").exists());
    assert_shown!(world.show(["status", "--format", "json", "--app", "blog"]), @r#"
    exit: 0
    --- stdout
    {"clean":false,"databases":[{"database":"blog_owner","history":"default","migrations":[{"app":"blog","version":"1","name":"1_posts","state":"pending","applied_at":null,"ms":null,"file":"FOLDER/migrations/blog/1_posts/up.sql","detail":null,"help":null},{"app":"blog","version":"2","name":"2_comments","state":"pending","applied_at":null,"ms":null,"file":"FOLDER/migrations/blog/2_comments/up.sql","detail":null,"help":null},{"app":"blog","version":"3","name":"3_authors","state":"pending","applied_at":null,"ms":null,"file":"FOLDER/migrations/blog/3_authors/up.sql","detail":null,"help":null}],"failure":null,"warnings":[]}],"problems":[{"code":"ReferenceElsewhere","app":"blog","version":"3","databases":["blog_owner"],"file":"FOLDER/migrations/blog/3_authors/up.sql","line":2,"message":"refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`","help":"keep the id column, drop the constraint"}]}
    --- stderr
    error[ReferenceElsewhere]: FOLDER/migrations/blog/3_authors/up.sql:2: refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`
      help: keep the id column, drop the constraint
    "#);
}

#[test]
fn a_status_says_what_would_refuse_a_run() {
    let world = World::migrated();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    // A file that would undo it counts as well as one that does it.
    world.migration("shop/2_prices", "", "DELETE FROM posts;");
    assert_shown!(world.show(["status", "--check", "-d", "shop_db"]), @r#"
    exit: 1
    --- stdout
    database  migration        state    applied at
    shop_db   shop/1_products  applied  WHEN
    shop_db   shop/2_prices    pending  -
    --- stderr
    1 migration to run
    error[Empty]: FOLDER/migrations/shop/2_prices/up.sql: migration `2_prices` of app `shop` is empty: nothing would run, and it would count as applied
      help: write its SQL, remove the folder, or say why in a comment that nothing is to be done
    error[StatementElsewhere]: FOLDER/migrations/shop/2_prices/down.sql:1: uses `posts` of app `blog`, which is on `blog_owner`; this migration of app `shop` runs on `shop_db`
      help: move the statement to a migration of app `blog`, or copy the rows by a program
    "#);
    std::fs::remove_dir_all(world.path("migrations/shop/2_prices")).unwrap();
    let file = std::fs::read_to_string(world.path("databases.yml")).unwrap();
    world.write("databases.yml", &file.replace("shop_db:", "store:"));
    assert_shown!(world.show(["status", "-d", "store"]), @r#"
    exit: 0
    --- stdout
    database  migration        state    applied at
    store     shop/1_products  pending  -
    --- stderr
    error: nothing is recorded for `store`, but 1 migration of its apps is recorded on it for `shop_db`
      help: `dbrouter adopt --apply --database store` takes them over, if `store` is what `shop_db` was, and shows them first without `--apply`; else say what has run on `store` by `dbrouter fake VERSION --database store --app shop`
    "#);
    assert_eq!(world.run(["status", "-d", "store", "--check"]).exit, Exit::Found);
    assert_shown!(world.show(["adopt"]), @r#"
    exit: 0
    --- stdout
    database  migration        becomes                          run on
    store     shop/1_products  as it was, recorded for shop_db  WHEN
    --- stderr
    1 record to take over; `dbrouter adopt --apply` does it
    "#);
    assert_shown!(world.show(["adopt", "--apply", "-d", "store", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"store","adopted":[{"app":"shop","version":"1","name":"1_products","run_on":"WHEN"}],"known":[],"unknown":[],"ambiguous":[],"from":"shop_db"}],"failures":[],"report":{"databases":[{"database":"store","outcome":"done","done":[{"app":"shop","version":"1","name":"1_products","action":"recorded","ms":null}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}}
    --- stderr
    "#);
}

#[test]
fn a_folder_that_the_file_names_must_be_there() {
    let world = World::migrated();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    let file = std::fs::read_to_string(world.path("databases.yml")).unwrap();
    world.write("databases.yml", &file.replace("migrations/blog", "migratons/blog"));
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error[NoFolder]: FOLDER/migratons/blog: the folder of the migrations of app `blog` is not there
      help: correct `migrations` of app `blog`, or run this where its folder is; `dbrouter new blog NAME` makes it
    nothing was run
    "#);
    assert_shown!(world.show(["status", "--check"]), @r#"
    exit: 1
    --- stdout
    database    migration        state    applied at
    default     users/1_users    applied  WHEN
    blog_owner  blog/1_posts     missing  WHEN  it is recorded, but not among the migrations
    blog_owner  blog/2_comments  missing  WHEN  it is recorded, but not among the migrations
    shop_db     shop/1_products  applied  WHEN
    --- stderr
    blog_owner: blog/1_posts is missing
      help: run the version of the program that has it; if it was removed for good, `dbrouter resolve blog 1 --reverted --database blog_owner` takes the record away
    blog_owner: blog/2_comments is missing
      help: run the version of the program that has it; if it was removed for good, `dbrouter resolve blog 2 --reverted --database blog_owner` takes the record away
    2 migrations in doubt
    error[NoFolder]: FOLDER/migratons/blog: the folder of the migrations of app `blog` is not there
      help: correct `migrations` of app `blog`, or run this where its folder is; `dbrouter new blog NAME` makes it
    "#);
}

#[test]
fn what_was_migrated_by_records_that_were_lost_does_not_run_again() {
    let world = World::migrated();
    world.migration("blog/2_comments", "UPDATE posts SET id = id * 2;", "UPDATE posts SET id = id / 2;");
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    std::fs::remove_file(world.path("default.sqlite3")).unwrap();
    assert_shown!(world.show(["plan"]), @r#"
    exit: 4
    --- stdout
    database    migration        in a transaction  file
    default     users/1_users    yes               FOLDER/migrations/users/1_users/up.sql
    blog_owner  blog/1_posts     yes               FOLDER/migrations/blog/1_posts/up.sql
    blog_owner  blog/2_comments  yes               FOLDER/migrations/blog/2_comments/up.sql
    --- stderr
    error: `blog_owner` was migrated before, but `default` has no records of it
      help: bring the records on `default` back; where all migrations have run on `blog_owner`, `dbrouter fake --all --database blog_owner` records them anew, and `dbrouter reset --database blog_owner` begins it from nothing
    "#);
    assert!(!world.path("default.sqlite3").exists());
    assert_shown!(world.show(["status", "--check", "-d", "blog_db"]), @r#"
    exit: 1
    --- stdout
    database    migration        state    applied at
    blog_owner  blog/1_posts     pending  -
    blog_owner  blog/2_comments  pending  -
    --- stderr
    error: `blog_owner` was migrated before, but `default` has no records of it
      help: bring the records on `default` back; where all migrations have run on `blog_owner`, `dbrouter fake --all --database blog_owner` records them anew, and `dbrouter reset --database blog_owner` begins it from nothing
    "#);
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 4
    --- stdout
    database    outcome      done       not done  time
    default     done         1 applied  - TIME
    blog_owner  failed       -          2 TIME
    shop_db     not started  -          -         -
    default: done; applied: users/1_users
    blog_owner: failed; not applied: blog/1_posts, blog/2_comments
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    error: `blog_owner` was migrated before, but `default` has no records of it
      help: bring the records on `default` back; where all migrations have run on `blog_owner`, `dbrouter fake --all --database blog_owner` records them anew, and `dbrouter reset --database blog_owner` begins it from nothing
    "#);
    assert_shown!(world.show(["fake", "--all", "--database", "blog_owner"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done        not done  time
    blog_owner  done     2 recorded  - TIME
    --- stderr
    blog_owner: recorded blog/1_posts
    blog_owner: recorded blog/2_comments
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn an_app_that_a_wrong_name_sends_elsewhere_is_refused_there() {
    let world = World::migrated();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    let file = std::fs::read_to_string(world.path("databases.yml")).unwrap();
    world.write("databases.yml", &file.replace("[shop]", "[shopp]"));
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 4
    --- stdout
    database    outcome      done  not done  time
    default     failed       -     1 TIME
    blog_owner  not started  -     -         -
    shop_db     not started  -     -         -
    default: failed; not applied: shop/1_products
    --- stderr
    error: nothing of app `shop` is recorded for `default`, but 1 migration of it is recorded for `shop_db`, on which `shop` is not migrated any more
      help: look at `apps` of `shop_db` in the file; where the tables of `shop` were moved to `default`, `dbrouter fake --all --database default --app shop` records them, and where it is to begin from nothing there, `dbrouter migrate --anew shop` runs it
    "#);
    assert_shown!(world.show(["migrate", "--anew", "shop", "-d", "default"]), @r#"
    exit: 0
    --- stdout
    database  outcome  done       not done  time
    default   done     1 applied  - TIME
    --- stderr
    default: 1 migration to run
    default: applying shop/1_products
    default: applied shop/1_products in TIME
    "#);
}

#[test]
fn it_can_be_narrowed() {
    let world = World::migrated();
    assert_shown!(world.show(["migrate", "-d", "blog_db", "--to", "1"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done       not done  time
    blog_owner  done     1 applied  - TIME
    --- stderr
    blog_owner: 1 migration to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: 1 later migration pending
    "#);
    assert_shown!(world.show(["migrate", "-d", "blog_db", "--to", "1"]), @r#"
    exit: 0
    --- stdout
    database    outcome     done  not done  time
    blog_owner  up to date  -     - TIME
    --- stderr
    blog_owner: nothing to run; 1 later migration pending
    "#);
    assert_shown!(world.show(["plan", "-d", "blog_db", "--to", "1"]), @r#"
    exit: 0
    --- stdout
    --- stderr
    nothing to run; 1 later migration pending
    "#);
    assert_shown!(world.show(["migrate", "--app", "shop"]), @r#"
    exit: 0
    --- stdout
    database  outcome  done       not done  time
    shop_db   done     1 applied  - TIME
    --- stderr
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    "#);
    assert_shown!(world.show(["migrate", "--app", "shop", "--database", "default"]), @r#"
    exit: 0
    --- stdout
    --- stderr
    there is nothing to migrate: no app's migrations run on these databases
    "#);
    assert_shown!(world.show(["status"]), @r#"
    exit: 0
    --- stdout
    database    migration        state    applied at
    default     users/1_users    pending  -
    blog_owner  blog/1_posts     applied  WHEN
    blog_owner  blog/2_comments  pending  -
    shop_db     shop/1_products  applied  WHEN
    --- stderr
    2 migrations to run
    "#);
}

#[test]
fn a_plan_writes_nothing() {
    let world = World::migrated();
    assert_shown!(world.show(["plan"]), @r#"
    exit: 0
    --- stdout
    database    migration        in a transaction  file
    default     users/1_users    yes               FOLDER/migrations/users/1_users/up.sql
    blog_owner  blog/1_posts     yes               FOLDER/migrations/blog/1_posts/up.sql
    blog_owner  blog/2_comments  yes               FOLDER/migrations/blog/2_comments/up.sql
    shop_db     shop/1_products  yes               FOLDER/migrations/shop/1_products/up.sql
    --- stderr
    "#);
    assert_shown!(world.show(["plan", "--sql", "--to", "1"]), @r#"
    exit: 0
    --- stdout
    -- default: users/1_users, FOLDER/migrations/users/1_users/up.sql
    CREATE TABLE users (id INTEGER);

    -- blog_owner: blog/1_posts, FOLDER/migrations/blog/1_posts/up.sql
    CREATE TABLE posts (id INTEGER);

    -- shop_db: shop/1_products, FOLDER/migrations/shop/1_products/up.sql
    CREATE TABLE products (id INTEGER);
    --- stderr
    1 later migration pending
    "#);
    assert_shown!(world.show(["plan", "--sql", "--database", "shop_db", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"shop_db","history":"shop_db","steps":[{"app":"shop","version":"1","name":"1_products","in_transaction":true,"file":"FOLDER/migrations/shop/1_products/up.sql","sql":"CREATE TABLE products (id INTEGER);"}],"warnings":[],"failures":[],"later":0}],"problems":[]}
    --- stderr
    "#);
    assert_shown!(world.show(["plan", "--app", "users", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"default","history":"default","steps":[{"app":"users","version":"1","name":"1_users","in_transaction":true,"file":"FOLDER/migrations/users/1_users/up.sql","sql":null}],"warnings":[],"failures":[],"later":0}],"problems":[]}
    --- stderr
    "#);
    for file in ["default.sqlite3", "blog.sqlite3", "shop.sqlite3"] {
        assert!(!world.path(file).exists(), "{file}");
    }
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_shown!(world.show(["plan"]), @r#"
    exit: 0
    --- stdout
    --- stderr
    nothing is pending
    "#);
}

#[test]
fn a_status_says_where_every_migration_stands() {
    let world = World::migrated();
    assert_shown!(world.show(["status"]), @r#"
    exit: 0
    --- stdout
    database    migration        state    applied at
    default     users/1_users    pending  -
    blog_owner  blog/1_posts     pending  -
    blog_owner  blog/2_comments  pending  -
    shop_db     shop/1_products  pending  -
    --- stderr
    4 migrations to run
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Found);
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    assert_shown!(world.show(["status", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"clean":true,"databases":[{"database":"default","history":"default","migrations":[{"app":"users","version":"1","name":"1_users","state":"applied","applied_at":"WHEN","ms":TIME,"file":"FOLDER/migrations/users/1_users/up.sql","detail":null,"help":null}],"failure":null,"warnings":[]},{"database":"blog_owner","history":"default","migrations":[{"app":"blog","version":"1","name":"1_posts","state":"applied","applied_at":"WHEN","ms":TIME,"file":"FOLDER/migrations/blog/1_posts/up.sql","detail":null,"help":null},{"app":"blog","version":"2","name":"2_comments","state":"applied","applied_at":"WHEN","ms":TIME,"file":"FOLDER/migrations/blog/2_comments/up.sql","detail":null,"help":null}],"failure":null,"warnings":[]},{"database":"shop_db","history":"shop_db","migrations":[{"app":"shop","version":"1","name":"1_products","state":"applied","applied_at":"WHEN","ms":TIME,"file":"FOLDER/migrations/shop/1_products/up.sql","detail":null,"help":null}],"failure":null,"warnings":[]}],"problems":[]}
    --- stderr
    "#);

    world.migration("blog/1_posts", "CREATE TABLE posts (id INTEGER, title TEXT);", "");
    world.migration("shop/0_early", "CREATE TABLE orders (id INTEGER);", "");
    std::fs::remove_dir_all(world.path("migrations/users/1_users")).unwrap();
    assert_shown!(world.show(["status", "--check"]), @r#"
    exit: 1
    --- stdout
    database    migration        state         applied at
    default     users/1_users    missing       WHEN  it is recorded, but not among the migrations
    blog_owner  blog/1_posts     changed       WHEN  its file was edited after it was applied
    blog_owner  blog/2_comments  applied       WHEN
    shop_db     shop/0_early     out of order  -                    1 was applied already
    shop_db     shop/1_products  applied       WHEN
    --- stderr
    default: users/1_users is missing
      help: run the version of the program that has it; if it was removed for good, `dbrouter resolve users 1 --reverted --database default` takes the record away
    blog_owner: blog/1_posts is changed
      help: put the file back and write a new migration, or accept it as it stands by `dbrouter resolve blog 1 --applied --database blog_owner`
    1 migration to run, 2 in doubt
    "#);
    assert_shown!(world.show(["plan"]), @r#"
    exit: 4
    --- stdout
    database  migration     in a transaction  file
    shop_db   shop/0_early  yes               FOLDER/migrations/shop/0_early/up.sql
    --- stderr
    default: warning: migration `1_users` of app `users` is recorded on `default`, but not among the migrations: perhaps those of an older version of the program are being run
    shop_db: warning: migration `0_early` of app `shop` runs out of order on `shop_db`: 1 was applied already
    error: FOLDER/migrations/blog/1_posts/up.sql: migration `1_posts` of app `blog` was edited after it was applied to `blog_owner`
      help: put the file back and write a new migration, or accept it as it stands by `dbrouter resolve blog 1 --applied --database blog_owner`
    "#);
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 4
    --- stdout
    database    outcome      done  not done  time
    default     up to date   -     - TIME
    blog_owner  failed       -     - TIME
    shop_db     not started  -     -         -
    --- stderr
    default: warning: migration `1_users` of app `users` is recorded on `default`, but not among the migrations: perhaps those of an older version of the program are being run
    error: FOLDER/migrations/blog/1_posts/up.sql: migration `1_posts` of app `blog` was edited after it was applied to `blog_owner`
      help: put the file back and write a new migration, or accept it as it stands by `dbrouter resolve blog 1 --applied --database blog_owner`
    "#);
}

#[test]
fn the_projects_own_routers_count() {
    /// Lets the shop be migrated on the default database too.
    #[derive(Debug)]
    struct ShopEverywhere;

    impl Router for ShopEverywhere {
        fn allow_migrate(&self, alias: &Alias, model: &Model<'_>, _: &Hints<'_>) -> Option<bool> {
            (model.app == "shop").then(|| alias.as_str() == "default")
        }
    }

    let world = World::migrated().with(|program| program.router(ShopEverywhere));
    assert_shown!(world.show(["status"]), @r#"
    exit: 0
    --- stdout
    database    migration        state    applied at
    default     shop/1_products  pending  -
    default     users/1_users    pending  -
    blog_owner  blog/1_posts     pending  -
    blog_owner  blog/2_comments  pending  -
    --- stderr
    4 migrations to run
    error[ReadElsewhere]: app `shop` is migrated on `default`, and read from `shop_db`, which is another database
      help: let it be migrated where it is read; to keep only the records elsewhere, write `migration_history`
    "#);
}

#[test]
fn a_lock_that_is_held_is_waited_for_and_names_its_holder() {
    let world = World::migrated();
    let none: [(&str, &str); 0] = [];
    let config = Config::loader().file(world.path("databases.yml")).variables(none).load().unwrap();
    let database = config.database("shop_db").unwrap();
    let _lock = tasks::lock::<SqliteConnection>(database, Duration::ZERO).unwrap();
    assert_shown!(world.show(["migrate", "--lock-wait", "100ms"]), @r#"
    exit: 3
    --- stdout
    database    outcome  done       not done  time
    default     done     1 applied  - TIME
    blog_owner  done     2 applied  - TIME
    shop_db     failed   -          - TIME
    default: done; applied: users/1_users
    blog_owner: done; applied: blog/1_posts, blog/2_comments
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    shop_db: waiting for `HOLDER`, since WHENZ
    error: database `shop_db` is locked by `HOLDER`, since WHENZ; 100ms were not enough to wait: try again when it has ended, or wait for longer
    "#);
}

#[test]
fn wrong_names_are_wrong_usage() {
    let world = World::new(
        "apps: { blog: { tables: [posts] }, old: { managed: false } }
databases:
  default: { url: 'sqlite://FOLDER/default.sqlite3' }
  blog_db: { url: 'sqlite://FOLDER/blog.sqlite3', apps: [blog] }
  copy: { url: 'sqlite://FOLDER/copy.sqlite3', replica_of: blog_db }
  theirs: { url: 'sqlite://FOLDER/theirs.sqlite3', migrate: false }",
    );
    assert_shown!(world.show(["migrate", "-d", "blgo_db"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unknown database `blgo_db`; did you mean `blog_db`?
    "#);
    assert_shown!(world.show(["status", "-d", "copy"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: database `copy` is a replica, and no task touches one; name its primary `blog_db`
    "#);
    assert_shown!(world.show(["plan", "-d", "theirs"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: no migration may run on database `theirs`: its `migrate` is false, or its `operations` lack `migrate`
    "#);
    assert_shown!(world.show(["migrate", "--app", "old"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: app `old` is `managed: false`: its migrations are somebody else's
    "#);
    assert_shown!(world.show(["migrate", "--to", "9"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: no migration of `blog` has the version 9; `status` lists those that there are
    "#);
    assert_shown!(world.show(["migrate", "--canary", "nope"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unknown canary `nope`; there are `blog_db`
    "#);
    assert_shown!(world.show(["migrate", "--lock-wait", "60"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: invalid value '60' for '--lock-wait <DURATION>': write a number and its unit, as in `500ms`, `60s` or `5m`

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["migrate", "--jobs", "0"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: invalid value '0' for '--jobs <N>': number would be zero for non-zero type

    For more information, try '--help'.
    "#);
}
