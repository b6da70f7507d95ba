//! `create`, `drop`, `setup`, `reset`, `seed`, `schema dump` and `schema load`.
#![cfg(feature = "sqlite")]

use router_cli::Exit;

use crate::assert_shown;
use crate::world::World;

/// Three databases with migrations, and seeds of a database and of an app.
fn seeded() -> World {
    let world = World::migrated();
    world.write("seeds/default/01_users.sql", "INSERT INTO users VALUES (1), (2);");
    world.write("seeds/blog/01_posts.sql", "INSERT INTO posts VALUES (1);");
    world.write("seeds/blog/02_comments.sql", "INSERT INTO comments VALUES (1);");
    world
}

/// The databases of the guide, all in one folder: an owner that does nothing but migrate.
fn guide() -> World {
    World::migrated_as(crate::world::GUIDE)
}

/// Runs a command with a folder of the world as its last argument.
fn show<const N: usize>(world: &World, arguments: [&str; N], folder: &str) -> String {
    let folder = world.path(folder);
    let mut all = arguments;
    for argument in &mut all {
        if *argument == "HERE" {
            *argument = folder.to_str().unwrap();
        }
    }
    world.show(all)
}

#[test]
fn databases_are_created_and_dropped() {
    let world = World::migrated();
    assert_shown!(world.show(["create", "-d", "shop_db", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"shop_db","done":{"created":"FOLDER/shop.sqlite3"},"error":null}]}
    --- stderr
    "#);
    assert_shown!(world.show(["create"]), @r#"
    exit: 0
    --- stdout
    default: created `FOLDER/default.sqlite3`
    blog_owner: created `FOLDER/blog.sqlite3`
    shop_db: `FOLDER/shop.sqlite3` was already there
    --- stderr
    "#);
    assert_shown!(world.show(["drop", "-d", "blog_db"]), @r#"
    exit: 0
    --- stdout
    blog_owner: dropped `FOLDER/blog.sqlite3`
    --- stderr
    "#);
    assert_shown!(world.show(["drop", "--app", "shop", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"shop_db","done":{"dropped":"FOLDER/shop.sqlite3","records":[],"lost_records_of":[],"former_records":[]},"error":null}]}
    --- stderr
    "#);
    assert_shown!(world.show(["drop"]), @r#"
    exit: 0
    --- stdout
    default: dropped `FOLDER/default.sqlite3`
    blog_owner: `FOLDER/blog.sqlite3` was not there
    shop_db: `FOLDER/shop.sqlite3` was not there
    --- stderr
    "#);
}

#[test]
fn a_database_is_set_up_and_begun_anew() {
    let world = seeded();
    assert_shown!(show(&world, ["setup", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    default: created `FOLDER/default.sqlite3`
    blog_owner: created `FOLDER/blog.sqlite3`
    shop_db: created `FOLDER/shop.sqlite3`
    database    outcome  done       not done  time
    default     done     1 applied  - TIME
    blog_owner  done     2 applied  - TIME
    shop_db     done     1 applied  - TIME
    default: sowed `default/01_users.sql`
    blog_db: sowed `blog/01_posts.sql`, `blog/02_comments.sql`
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
    assert_shown!(show(&world, ["setup", "--app", "blog", "--format", "json", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    {"drop":null,"create":[{"database":"blog_owner","done":{"already_there":"FOLDER/blog.sqlite3"},"error":null}],"migrate":{"databases":[{"database":"blog_owner","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]},"seed":[{"database":"blog_db","done":{"sown":[],"earlier":["blog/01_posts.sql","blog/02_comments.sql"],"changed":[]},"error":null}]}
    --- stderr
    "#);
    assert_shown!(show(&world, ["reset", "-d", "blog_db", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    blog_owner: dropped `FOLDER/blog.sqlite3`; took 2 records of its migrations away from `default`
    blog_owner: created `FOLDER/blog.sqlite3`
    database    outcome  done       not done  time
    blog_owner  done     2 applied  - TIME
    blog_db: sowed `blog/01_posts.sql`, `blog/02_comments.sql`
    --- stderr
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    "#);
    assert_shown!(world.show(["status"]), @r#"
    exit: 0
    --- stdout
    database    migration        state    applied at
    default     users/1_users    applied  WHEN
    blog_owner  blog/1_posts     applied  WHEN
    blog_owner  blog/2_comments  applied  WHEN
    shop_db     shop/1_products  applied  WHEN
    --- stderr
    nothing is pending
    "#);
    assert_shown!(show(&world, ["reset", "--app", "blog", "--format", "json", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    {"drop":[{"database":"blog_owner","done":{"dropped":"FOLDER/blog.sqlite3","records":[{"from":"default","number":2}],"lost_records_of":[],"former_records":[]},"error":null}],"create":[{"database":"blog_owner","done":{"created":"FOLDER/blog.sqlite3"},"error":null}],"migrate":{"databases":[{"database":"blog_owner","outcome":"done","done":[{"app":"blog","version":"1","name":"1_posts","action":"applied","ms":TIME},{"app":"blog","version":"2","name":"2_comments","action":"applied","ms":TIME}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]},"seed":[{"database":"blog_db","done":{"sown":["blog/01_posts.sql","blog/02_comments.sql"],"earlier":[],"changed":[]},"error":null}]}
    --- stderr
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    "#);
}

#[test]
fn a_database_that_keeps_the_records_of_another_is_not_dropped_alone() {
    let world = seeded();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_shown!(world.show(["drop", "-d", "default"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: `default` keeps the records of the migrations of `blog_owner`, which would all count as pending; drop them together, with `--database default --database blog_owner`, or pass `--force`
    "#);
    assert_shown!(world.show(["reset", "--app", "users"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: `default` keeps the records of the migrations of `blog_owner`, which would all count as pending; drop them together, with `--database default --database blog_owner`, or pass `--force`
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    assert_eq!(world.run(["drop", "-d", "default", "-d", "blog_db"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["reset", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    default: `FOLDER/default.sqlite3` was not there
    blog_owner: `FOLDER/blog.sqlite3` was not there
    shop_db: dropped `FOLDER/shop.sqlite3`
    default: created `FOLDER/default.sqlite3`
    blog_owner: created `FOLDER/blog.sqlite3`
    shop_db: created `FOLDER/shop.sqlite3`
    database    outcome  done       not done  time
    default     done     1 applied  - TIME
    blog_owner  done     2 applied  - TIME
    shop_db     done     1 applied  - TIME
    default: sowed `default/01_users.sql`
    blog_db: sowed `blog/01_posts.sql`, `blog/02_comments.sql`
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
    assert_shown!(world.show(["drop", "-d", "default", "--force"]), @r#"
    exit: 0
    --- stdout
    default: dropped `FOLDER/default.sqlite3`; it kept the records of `blog_owner`, whose migrations all count as pending now: once `dbrouter create` has made it anew, `dbrouter fake --all --database blog_owner` records them, if all have run
    --- stderr
    "#);
}

#[test]
fn a_database_that_is_begun_anew_gets_all_of_its_apps() {
    let world = World::new(
        "apps:
  users: { tables: [users], migrations: 'FOLDER/migrations/users' }
  blog: { tables: [posts], migrations: 'FOLDER/migrations/blog' }
databases: { default: { url: 'sqlite://FOLDER/default.sqlite3' } }",
    );
    world.migration("users/1_users", "CREATE TABLE users (id INTEGER);", "DROP TABLE users;");
    world.migration("blog/1_posts", "CREATE TABLE posts (id INTEGER);", "DROP TABLE posts;");
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_eq!(world.run(["reset", "--app", "blog"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn a_step_that_fails_is_the_last() {
    let world = seeded();
    world.migration("shop/2_broken", "CREATE TALBE x (id INTEGER);", "");
    assert_shown!(show(&world, ["setup", "--seeds", "HERE"], "seeds"), @r#"
    exit: 4
    --- stdout
    default: created `FOLDER/default.sqlite3`
    blog_owner: created `FOLDER/blog.sqlite3`
    shop_db: created `FOLDER/shop.sqlite3`
    database    outcome  done       not done  time
    default     done     1 applied  - TIME
    blog_owner  done     2 applied  - TIME
    shop_db     failed   1 applied  1 TIME
    default: done; applied: users/1_users
    blog_owner: done; applied: blog/1_posts, blog/2_comments
    shop_db: failed; applied: shop/1_products; not applied: shop/2_broken
    --- stderr
    default: 1 migration to run
    default: applying users/1_users
    default: applied users/1_users in TIME
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    shop_db: 2 migrations to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    shop_db: applying shop/2_broken
    shop_db: failed at shop/2_broken
    error: FOLDER/migrations/shop/2_broken/up.sql: migration `2_broken` of app `shop` failed on `shop_db`: near "TALBE": syntax error; nothing of it was changed
    "#);
    assert_shown!(show(&world, ["setup", "--format", "json", "--seeds", "HERE"], "seeds"), @r#"
    exit: 4
    --- stdout
    {"drop":null,"create":[{"database":"default","done":{"already_there":"FOLDER/default.sqlite3"},"error":null},{"database":"blog_owner","done":{"already_there":"FOLDER/blog.sqlite3"},"error":null},{"database":"shop_db","done":{"already_there":"FOLDER/shop.sqlite3"},"error":null}],"migrate":{"databases":[{"database":"default","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"blog_owner","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"shop_db","outcome":"failed","done":[],"not_done":[{"app":"shop","version":"2","name":"2_broken"}],"warnings":[],"ms":TIME,"later":0}],"failures":[{"kind":"failed","database":"shop_db","app":"shop","version":"2","file":"FOLDER/migrations/shop/2_broken/up.sql","message":"migration `2_broken` of app `shop` failed on `shop_db`: near \"TALBE\": syntax error; nothing of it was changed","help":null}],"problems":[]},"seed":null}
    --- stderr
    shop_db: 1 migration to run
    shop_db: applying shop/2_broken
    shop_db: failed at shop/2_broken
    error: FOLDER/migrations/shop/2_broken/up.sql: migration `2_broken` of app `shop` failed on `shop_db`: near "TALBE": syntax error; nothing of it was changed
    "#);
    std::fs::create_dir(world.path("folder")).unwrap();
    let yaml = "databases: { default: { url: 'sqlite://FOLDER/folder' } }";
    world.write("databases.yml", yaml);
    assert_shown!(world.show(["create"]), @r#"
    exit: 0
    --- stdout
    default: `FOLDER/folder` was already there
    --- stderr
    "#);
    assert_shown!(world.show(["drop", "--format", "json"]), @r#"
    exit: 4
    --- stdout
    {"databases":[{"database":"default","done":null,"error":"failed to read `FOLDER/folder` for database `default`: Is a directory (os error 21)"}]}
    --- stderr
    error: failed to read `FOLDER/folder` for database `default`: Is a directory (os error 21)
    "#);
}

#[test]
fn nothing_is_dropped_where_the_migrations_would_be_refused() {
    let world = seeded();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    world.migration("blog/3_authors", "CREATE TABLE authors (id INTEGER REFERENCES users (id));", "");
    assert_shown!(world.show(["reset"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error[ReferenceElsewhere]: FOLDER/migrations/blog/3_authors/up.sql:1: refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`
      help: keep the id column, drop the constraint
    nothing was run
    "#);
    assert!(world.path("blog.sqlite3").exists());
}

#[test]
fn nothing_is_dropped_where_it_would_be_migrated_to_the_wrong_place() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    let yaml = crate::world::GUIDE.replace("blog.sqlite3', operations", "blog_x.sqlite3', operations");
    world.write("databases.yml", &yaml);
    world.write("blog_x.sqlite3", "");
    let refused = world.show(["reset", "--database", "blog_owner"]);
    assert_eq!(world.show(["reset", "--database", "blog_db"]), refused);
    assert_shown!(refused, @r#"
    exit: 2
    --- stdout
    --- stderr
    error[ReadElsewhere]: app `blog` is migrated on `blog_owner`, and read from `blog_db`, which is another database
      help: let it be migrated where it is read; to keep only the records elsewhere, write `migration_history`
    nothing was run
    "#);
    assert!(world.path("blog_x.sqlite3").exists());
    world.write("databases.yml", crate::world::GUIDE);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine, "its records are there");
}

/// An app that went from one database to another in the file, as by a mistake.
#[test]
fn nothing_is_dropped_where_an_app_would_begin_from_nothing() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    let moved = crate::world::GUIDE
        .replace("apps: [shop]", "apps: [shop, users]")
        .replace("default.sqlite3', apps: [users]", "default.sqlite3', apps: []");
    world.write("databases.yml", &moved);
    let refused = world.show(["reset", "-d", "shop_db"]);
    assert!(
        refused.starts_with("exit: 4\n--- stdout\n--- stderr\nerror: nothing of app `users` is recorded"),
        "{refused}"
    );
    // Where both are begun anew, nothing of it is anywhere.
    let done = world.show(["reset"]);
    assert!(done.starts_with("exit: 0\n"), "{done}");
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn nothing_is_dropped_where_nothing_would_make_it_again() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    // As if it were run in a folder without migrations, where the file names none.
    let apps = ["users", "blog", "shop"];
    let nameless = apps.iter().fold(crate::world::GUIDE.to_owned(), |file, app| {
        file.replace(&format!(", migrations: 'FOLDER/migrations/{app}'"), "")
    });
    world.write("databases.yml", &nameless);
    let refused = world.show(["reset"]);
    assert!(refused.starts_with("exit: 4\n--- stdout\n--- stderr\n"), "{refused}");
    assert!(
        refused.contains(
            "error: 2 migrations are recorded for `blog_owner`, and there is none that could run again"
        ),
        "{refused}"
    );
    world.write("databases.yml", crate::world::GUIDE);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn nothing_is_made_where_nothing_could_be_migrated() {
    let world = guide();
    world.write("migrations/shop/2_empty/up.sql", "");
    let refused = world.show(["setup"]);
    assert!(refused.starts_with("exit: 2\n--- stdout\n--- stderr\nerror[Empty"), "{refused}");
    for file in ["default.sqlite3", "blog.sqlite3", "shop.sqlite3"] {
        assert!(!world.path(file).exists(), "{file}");
    }
}

#[test]
fn what_is_recorded_already_is_nothing_to_record() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    let said = world.show(["fake", "--all", "--database", "shop_db"]);
    assert!(said.contains("shop_db   nothing to record"), "{said}");
}

#[test]
fn what_is_said_by_hand_makes_no_lost_database() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    std::fs::remove_file(world.path("blog.sqlite3")).unwrap();
    for refused in [
        world.show(["fake", "--all", "--database", "blog_db"]),
        world.show(["fake", "--all"]),
        world.show(["fake", "1", "--database", "blog_owner", "--app", "blog"]),
        world.show(["resolve", "blog", "1", "--reverted", "--database", "blog_owner"]),
    ] {
        assert!(refused.starts_with("exit: 4\n"), "{refused}");
        assert!(
            refused.contains("database `blog_owner` is not there, but `default` has 2 records"),
            "{refused}"
        );
        assert!(!world.path("blog.sqlite3").exists(), "{refused}");
    }
    assert_eq!(world.run(["reset", "--database", "blog_owner"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

/// Where another database has records of an app, what was there before is begun anew all the same.
#[test]
fn what_is_begun_anew_may_be_recorded_elsewhere_too() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    let both = crate::world::GUIDE
        .replace("apps: [shop]", "apps: [shop, users]")
        .replace("default.sqlite3', apps: [users]", "default.sqlite3', apps: []");
    world.write("databases.yml", &both);
    assert_eq!(world.run(["migrate", "-d", "shop_db", "--anew", "users"]).exit, Exit::Fine);
    let done = world.show(["reset", "-d", "shop_db"]);
    assert!(done.starts_with("exit: 0\n"), "{done}");
}

#[test]
fn what_is_named_by_its_owner_is_seeded_by_its_own_name() {
    let world = guide();
    world.write("seeds/blog/01_posts.sql", "INSERT INTO posts VALUES (1);");
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    std::fs::remove_file(world.path("blog.sqlite3")).unwrap();
    let said = world.show(["setup"]);
    assert!(said.contains("else `dbrouter reset --database blog_owner`"), "{said}");
    assert_shown!(show(&world, ["reset", "--database", "blog_owner", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    blog_owner: `FOLDER/blog.sqlite3` was not there; took 2 records of its migrations away from `default`
    blog_owner: created `FOLDER/blog.sqlite3`
    database    outcome  done       not done  time
    blog_owner  done     2 applied  - TIME
    blog_db: sowed `blog/01_posts.sql`
    --- stderr
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["setup", "-d", "blog_owner", "--format", "json", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    {"drop":null,"create":[{"database":"blog_owner","done":{"already_there":"FOLDER/blog.sqlite3"},"error":null}],"migrate":{"databases":[{"database":"blog_owner","outcome":"up to date","done":[],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]},"seed":[{"database":"blog_db","done":{"sown":[],"earlier":["blog/01_posts.sql"],"changed":[]},"error":null}]}
    --- stderr
    "#);
    assert_shown!(show(&world, ["seed", "-d", "blog_owner", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    blog_db: nothing to sow, 1 sown before
    --- stderr
    "#);
    std::fs::create_dir(world.path("empty")).unwrap();
    assert_shown!(show(&world, ["seed", "-d", "blog_owner", "--seeds", "HERE"], "empty"), @r#"
    exit: 0
    --- stdout
    --- stderr
    there is nothing to do
    seeds are the SQL files of `FOLDER/empty/<database>` and `FOLDER/empty/<app>`
    "#);
}

#[test]
fn a_lost_file_is_not_made_anew_where_its_records_are_elsewhere() {
    let world = guide();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    for file in ["blog.sqlite3", "shop.sqlite3"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    assert_shown!(world.show(["migrate", "--on-error", "continue"]), @r#"
    exit: 4
    --- stdout
    database    outcome     done       not done  time
    default     up to date  -          - TIME
    blog_owner  failed      -          - TIME
    shop_db     done        1 applied  - TIME
    shop_db: done; applied: shop/1_products
    --- stderr
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    error: database `blog_owner` is not there, but `default` has 2 records of its migrations, as if they had run
      help: correct its URL if it is the wrong database, else `dbrouter reset --database blog_owner` takes the records away and sets it up
    "#);
    assert!(!world.path("blog.sqlite3").exists());
    assert_shown!(world.show(["plan"]), @r#"
    exit: 4
    --- stdout
    --- stderr
    blog_owner: warning: migration `1_posts` of app `blog` is recorded on `blog_owner`, but its table `posts` is not there
    blog_owner: warning: migration `2_comments` of app `blog` is recorded on `blog_owner`, but its table `comments` is not there
    error: database `blog_owner` is not there, but `default` has 2 records of its migrations, as if they had run
      help: correct its URL if it is the wrong database, else `dbrouter reset --database blog_owner` takes the records away and sets it up
    "#);
    assert_shown!(world.show(["status", "--check"]), @r#"
    exit: 1
    --- stdout
    database    migration        state    applied at
    default     users/1_users    applied  WHEN
    blog_owner  blog/1_posts     drift    WHEN  its table `posts` is not there
    blog_owner  blog/2_comments  drift    WHEN  its table `comments` is not there
    shop_db     shop/1_products  applied  WHEN
    --- stderr
    blog_owner: blog/1_posts is drift
      help: put the table back; to have the migration run again, `dbrouter resolve blog 1 --reverted --database blog_owner` makes it pending
    blog_owner: blog/2_comments is drift
      help: put the table back; to have the migration run again, `dbrouter resolve blog 2 --reverted --database blog_owner` makes it pending
    error: database `blog_owner` is not there, but `default` has 2 records of its migrations, as if they had run
      help: correct its URL if it is the wrong database, else `dbrouter reset --database blog_owner` takes the records away and sets it up
    "#);
    assert_eq!(world.run(["reset", "-d", "blog_owner"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn what_cannot_be_seeded_is_set_up_all_the_same() {
    let world = World::new(
        "apps: { blog: { tables: [posts], migrations: 'FOLDER/migrations/blog' } }
databases: { default: { url: 'sqlite://FOLDER/main.sqlite3', apps: [blog], operations: [read, migrate] } }",
    );
    world.migration("blog/1_posts", "CREATE TABLE posts (id INTEGER);", "DROP TABLE posts;");
    for command in ["setup", "reset"] {
        let ended = world.run([command, "-d", "default", "--format", "json"]);
        assert_eq!(ended.exit, Exit::Fine, "{}", ended.stderr);
        assert!(ended.stdout.ends_with("\"seed\":null}\n"), "{}", ended.stdout);
    }
    assert_shown!(world.show(["seed", "-d", "default"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: database `default` has `operations` without `write`, which the task needs; add it, or name another database
    "#);
}

#[test]
fn seeds_are_sown_once() {
    let world = seeded();
    assert_eq!(world.run(["create"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["seed", "--seeds", "HERE"], "seeds"), @r#"
    exit: 4
    --- stdout
    default: failed
    blog_db: failed
    --- stderr
    error: seed `FOLDER/seeds/default/01_users.sql` failed on database `default`: no such table: users; nothing was sown
    error: seed `FOLDER/seeds/blog/01_posts.sql` failed on database `blog_db`: no such table: posts; nothing was sown
    "#);
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["seed", "--seeds", "HERE", "-d", "blog_db"], "seeds"), @r#"
    exit: 0
    --- stdout
    blog_db: sowed `blog/01_posts.sql`, `blog/02_comments.sql`
    --- stderr
    "#);
    assert_shown!(show(&world, ["seed", "--seeds", "HERE", "--format", "json"], "seeds"), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"default","done":{"sown":["default/01_users.sql"],"earlier":[],"changed":[]},"error":null},{"database":"blog_db","done":{"sown":[],"earlier":["blog/01_posts.sql","blog/02_comments.sql"],"changed":[]},"error":null}]}
    --- stderr
    "#);
    world.write("seeds/blog/02_comments.sql", "INSERT INTO comments VALUES (2);");
    assert_shown!(show(&world, ["seed", "--seeds", "HERE"], "seeds"), @r#"
    exit: 0
    --- stdout
    default: nothing to sow, 1 sown before
    blog_db: nothing to sow, 1 sown before; changed since and not sown again: `blog/02_comments.sql` (put what is new into a new file)
    --- stderr
    "#);
    std::fs::create_dir(world.path("empty")).unwrap();
    assert_shown!(show(&world, ["seed", "--seeds", "HERE"], "empty"), @r#"
    exit: 0
    --- stdout
    --- stderr
    there is nothing to do
    seeds are the SQL files of `FOLDER/empty/<database>` and `FOLDER/empty/<app>`
    "#);
}

#[test]
fn a_folder_of_seeds_that_is_not_there_is_told_before_anything_is_done() {
    let world = World::migrated();
    assert_shown!(show(&world, ["seed", "--seeds", "HERE"], "none"), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: there is no folder of seeds `FOLDER/none`; correct it, or leave it out for `seeds`
    "#);
    for command in ["setup", "reset"] {
        let said = show(&world, [command, "--seeds", "HERE"], "none");
        assert!(said.contains("there is no folder of seeds"), "{said}");
        assert!(!world.path("default.sqlite3").exists(), "{said}");
    }
    assert_eq!(world.run(["seed"]).exit, Exit::Fine);
}

#[test]
fn schemas_are_dumped_and_loaded() {
    let world = World::migrated();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["schema", "dump", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    default: wrote `FOLDER/schema/default.sql`
    blog_db: wrote `FOLDER/schema/blog_db.sql`
    blog_owner: the same database as `blog_db`
    shop_db: wrote `FOLDER/schema/shop_db.sql`
    --- stderr
    default: left out: rows
    blog_db: left out: rows
    shop_db: left out: rows
    "#);
    assert_shown!(show(&world, ["schema", "dump", "-d", "shop_db", "--format", "json", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"shop_db","done":{"unchanged":"FOLDER/schema/shop_db.sql"},"error":null}]}
    --- stderr
    shop_db: left out: rows
    "#);
    assert_shown!(show(&world, ["schema", "load", "-d", "shop_db", "--folder", "HERE"], "schema"), @r#"
    exit: 4
    --- stdout
    shop_db: failed
    --- stderr
    error: database `shop_db` is not empty: it has `products`; to begin anew, `dbrouter drop --database shop_db` and `dbrouter create --database shop_db`, or pass `--force` to load over them
    "#);
    for task in ["drop", "create"] {
        assert_eq!(world.run([task, "-d", "shop_db"]).exit, Exit::Fine);
    }
    assert_shown!(show(&world, ["schema", "load", "-d", "shop_db", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    shop_db: loaded `FOLDER/schema/shop_db.sql`, and has 1 table or view now; recorded 1 migration
    --- stderr
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["schema", "load", "-d", "shop_db", "--format", "json", "--folder", "HERE"], "none"), @r#"
    exit: 2
    --- stdout
    {"databases":[{"database":"shop_db","done":null,"error":"nothing was loaded, as there is no `FOLDER/none/shop_db.sql`, where the schema of database `shop_db` is looked for; `dbrouter schema dump` writes it where there is a database that has the schema"}]}
    --- stderr
    error: nothing was loaded, as there is no `FOLDER/none/shop_db.sql`, where the schema of database `shop_db` is looked for; `dbrouter schema dump` writes it where there is a database that has the schema
    "#);
}

#[test]
fn what_was_dumped_under_one_alias_is_loaded_under_another() {
    let world = World::migrated();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    show(&world, ["schema", "dump", "--folder", "HERE"], "schema");
    for task in ["drop", "create"] {
        assert_eq!(world.run([task]).exit, Exit::Fine);
    }
    let shop = world.path("schema/shop_db.sql");
    let aside = world.path("shop_db.sql");
    std::fs::rename(&shop, &aside).unwrap();
    assert_shown!(show(&world, ["schema", "load", "--folder", "HERE"], "schema"), @r#"
    exit: 2
    --- stdout
    shop_db: failed
    --- stderr
    error: nothing was loaded, as there is no `FOLDER/schema/shop_db.sql`, where the schema of database `shop_db` is looked for; `dbrouter schema dump` writes it where there is a database that has the schema
    "#);
    std::fs::rename(&aside, &shop).unwrap();
    assert_shown!(show(&world, ["schema", "load", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    default: loaded `FOLDER/schema/default.sql`, and has 1 table or view now; recorded 1 migration
    blog_owner: loaded `FOLDER/schema/blog_db.sql`, and has 2 tables and views now; recorded 2 migrations
    shop_db: loaded `FOLDER/schema/shop_db.sql`, and has 1 table or view now; recorded 1 migration
    --- stderr
    "#);
}

#[test]
fn rows_that_migrations_wrote_are_missed() {
    let world = World::migrated();
    world.write("migrations/shop/20990101000000_rows/up.sql", "INSERT INTO products VALUES (1);");
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_shown!(show(&world, ["schema", "dump", "-d", "shop_db", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    shop_db: wrote `FOLDER/schema/shop_db.sql`
    --- stderr
    shop_db: left out: rows
    shop_db: 1 migration wrote some of that: shop/20990101000000 (rows of `products`); `--data TABLE` adds the rows of a table, and `dbrouter schema load` refuses the file without `--record-incomplete`
    "#);
    let anew = || {
        for task in ["drop", "create"] {
            assert_eq!(world.run([task, "-d", "shop_db"]).exit, Exit::Fine);
        }
    };
    anew();
    assert_shown!(show(&world, ["schema", "load", "-d", "shop_db", "--folder", "HERE"], "schema"), @r#"
    exit: 4
    --- stdout
    shop_db: failed
    --- stderr
    error: nothing was loaded, as `FOLDER/schema/shop_db.sql` does not hold what 1 migration of `shop_db` wrote: shop/20990101000000 (rows of `products`); dump it with `dbrouter schema dump --data TABLE` for each table of these rows, or pass `--record-incomplete` if all of it comes from elsewhere
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Found);
    let folder = world.path("schema");
    let load =
        ["schema", "load", "-d", "shop_db", "--record-incomplete", "--folder", folder.to_str().unwrap()];
    assert_eq!(world.run(load).exit, Exit::Fine);

    // With the rows in the file, nothing is missed.
    anew();
    assert_eq!(world.run(["migrate", "-d", "shop_db"]).exit, Exit::Fine);
    let dump = |table: &str| {
        let folder = folder.to_str().unwrap();
        world.run(["schema", "dump", "-d", "shop_db", "--data", table, "--folder", folder]).exit
    };
    assert_eq!(dump("no_such_table"), Exit::Usage);
    assert_eq!(dump("products"), Exit::Fine);
    anew();
    assert_shown!(show(&world, ["schema", "load", "-d", "shop_db", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    shop_db: loaded `FOLDER/schema/shop_db.sql`, and has 1 table or view now; recorded 2 migrations
    --- stderr
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn a_database_of_two_names_is_dumped_and_loaded_once() {
    let world = World::new(
        "databases:
  default: { url: 'sqlite://FOLDER/main.sqlite3', apps: [users] }
  blog_db: { url: 'sqlite://FOLDER/main.sqlite3', apps: [blog] }",
    );
    assert_eq!(world.run(["create"]).exit, Exit::Fine);
    show(&world, ["schema", "dump", "--folder", "HERE"], "schema");
    assert_shown!(show(&world, ["schema", "load", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    default: loaded `FOLDER/schema/default.sql`, and has 0 tables and views now
    blog_db: the same database as `default`
    --- stderr
    no migration was recorded where the file names none; if all of them are in it, `dbrouter fake --all --database default` records them
    "#);
    assert_shown!(show(&world, ["schema", "load", "--format", "json", "--folder", "HERE"], "schema"), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"default","done":{"path":"FOLDER/schema/default.sql","tables":0,"recorded":null},"error":null},{"database":"blog_db","done":{"same_as":"default"},"error":null}]}
    --- stderr
    no migration was recorded where the file names none; if all of them are in it, `dbrouter fake --all --database default` records them
    "#);
}

#[test]
fn records_elsewhere_go_with_their_database() {
    let world = World::migrated();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    assert_shown!(world.show(["drop", "-d", "blog_db"]), @r#"
    exit: 0
    --- stdout
    blog_owner: dropped `FOLDER/blog.sqlite3`; took 2 records of its migrations away from `default`
    --- stderr
    "#);
    let said = world.show(["setup", "-d", "blog_db"]);
    assert!(said.contains("blog_owner  done     2 applied"), "{said}");

    // A file that was lost, and not dropped: its records are in the way until they are taken away.
    std::fs::remove_file(world.path("blog.sqlite3")).unwrap();
    let created = world.show(["setup"]);
    assert_eq!(world.show(["setup"]), created, "it is as empty the second time");
    assert_shown!(created, @r#"
    exit: 4
    --- stdout
    default: `FOLDER/default.sqlite3` was already there
    blog_owner: failed
    shop_db: `FOLDER/shop.sqlite3` was already there
    --- stderr
    error: database `blog_owner` is not there, but `default` has 2 records of its migrations, as if they had run; correct its URL if it is the wrong database, else `dbrouter reset --database blog_owner` takes the records away and sets it up
    "#);
    assert_eq!(world.run(["reset", "--database", "blog_owner"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn nothing_is_dropped_where_its_records_cannot_be_reached() {
    let world = World::migrated();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    std::fs::remove_file(world.path("default.sqlite3")).unwrap();
    std::fs::create_dir(world.path("default.sqlite3")).unwrap();
    assert_shown!(world.show(["drop", "-d", "blog_db"]), @r#"
    exit: 3
    --- stdout
    blog_owner: failed
    --- stderr
    error: database `blog_owner` was not dropped, as the records of its migrations are on `default` and cannot be taken away: database `default` cannot be reached: unable to open database file; try again when it answers, or pass `--force`, and they stay
    "#);
    assert!(world.path("blog.sqlite3").exists());
    assert_shown!(world.show(["drop", "-d", "blog_db", "--force"]), @r#"
    exit: 4
    --- stdout
    blog_owner: failed
    --- stderr
    error: database `blog_owner` is gone, but the records of its migrations stay on `default`: database `default` cannot be reached: unable to open database file; `dbrouter drop --database blog_owner` takes them away when it answers
    "#);
    assert!(!world.path("blog.sqlite3").exists());
}

#[test]
fn what_was_not_created_is_named_with_the_command_that_makes_it() {
    let world = World::new(
        "apps: { blog: { tables: [posts], migrations: 'FOLDER/migrations/blog' } }
databases: { default: { url: 'sqlite://FOLDER/db/main.sqlite3', apps: [blog] } }",
    );
    world.migration("blog/1_posts", "CREATE TABLE posts (id INTEGER);", "DROP TABLE posts;");
    assert_shown!(world.show(["migrate"]), @r#"
    exit: 3
    --- stdout
    database  outcome  done  not done  time
    default   failed   -     - TIME
    --- stderr
    error: database `default` cannot be reached: there is no `FOLDER/db/main.sqlite3`
      help: `dbrouter create --database default` makes it
    "#);
    assert_eq!(world.run(["create", "--database", "default"]).exit, Exit::Fine);
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
}

#[test]
fn an_environment_that_may_be_a_mistyped_production_is_left_alone() {
    let world = World::migrated();
    assert_eq!(world.run(["setup"]).exit, Exit::Fine);
    for command in [&["drop"][..], &["reset"], &["schema", "load"]] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let all = [&["dbrouter", "--env", "prodcution"], command].concat();
        assert_eq!(world.program.run(&all, &mut stdout, &mut stderr), Exit::Usage, "{command:?}");
        let said = String::from_utf8([stdout, stderr].concat()).unwrap();
        let expected =
            "destroys data, and no environment `prodcution` is declared; did you mean `production`?";
        assert!(said.contains(expected), "{said}");
        assert!(world.path("default.sqlite3").exists(), "{command:?}");
    }
    let world = world.with(|program| program.variables([("DBROUTER_ENV", "staging")]));
    assert_shown!(world.show(["drop"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: `drop` destroys data, and no environment `staging` is declared; declare it in the file, if only as `environments: { staging: {} }`, or pass `--force`
    "#);
    let world = world.with(|program| program.variables([("DBROUTER_ENV", "test")]));
    assert_eq!(world.run(["drop"]).exit, Exit::Fine);
}

#[test]
fn production_is_left_alone_unless_it_is_forced() {
    let world = seeded();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    for command in [&["drop"][..], &["reset"], &["schema", "load"]] {
        let run = |more: &[&str]| {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let all = [&["dbrouter", "--env", "production"], command, more].concat();
            let exit = world.program.run(&all, &mut stdout, &mut stderr);
            (exit, String::from_utf8([stdout, stderr].concat()).unwrap())
        };
        let (exit, said) = run(&[]);
        assert_eq!(exit, Exit::Usage, "{command:?}: {said}");
        assert!(said.contains("destroys data, and this is the environment `production`"), "{said}");
        assert!(world.path("default.sqlite3").exists(), "{command:?}");
    }
    assert_shown!(world.show(["drop", "--env", "production", "--force", "-d", "default"]), @r#"
    exit: 0
    --- stdout
    default: dropped `FOLDER/default.sqlite3`; it kept the records of `blog_owner`, whose migrations all count as pending now: once `dbrouter create` has made it anew, `dbrouter fake --all --database blog_owner` records them, if all have run
    --- stderr
    "#);
}

#[test]
fn no_task_touches_a_replica() {
    let world = World::new(
        "apps: { blog: { tables: [posts] } }
databases:
  default: { url: 'sqlite://FOLDER/default.sqlite3', apps: [blog] }
  copy: { url: 'sqlite://FOLDER/copy.sqlite3', replica_of: default }",
    );
    for command in [
        &["create"][..],
        &["drop", "--force"],
        &["setup"],
        &["reset", "--force"],
        &["seed"],
        &["schema", "dump"],
        &["schema", "load", "--force"],
        &["migrate"],
        &["plan"],
        &["status"],
        &["rollback"],
        &["redo"],
        &["fake", "--all"],
        &["resolve", "blog", "1", "--applied"],
        &["adopt", "--apply"],
    ] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let all = [&["dbrouter"], command, &["-d", "copy"]].concat();
        let exit = world.program.run(&all, &mut stdout, &mut stderr);
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!((exit, stdout.len()), (Exit::Usage, 0), "{command:?}: {said}");
        assert!(said.starts_with("error: database `copy` is a replica"), "{command:?}: {said}");
    }
    assert_shown!(world.show(["create", "-d", "copy"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: database `copy` is a replica of `default` and gets everything from there; name `default`
    "#);
    assert_shown!(world.show(["create"]), @r#"
    exit: 0
    --- stdout
    default: created `FOLDER/default.sqlite3`
    --- stderr
    "#);
    assert!(!world.path("copy.sqlite3").exists());
    assert_shown!(world.show(["create", "-d", "defualt"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unknown database `defualt`; did you mean `default`?
    "#);
    assert_shown!(world.show(["create", "-d", "shop"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unknown database `shop`; there are `default`, `copy`
    "#);
    assert_shown!(world.show(["seed", "--app", "blgo"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unknown app `blgo`; did you mean `blog`?
    "#);
}
