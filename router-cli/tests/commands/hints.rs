//! What commands say where a router needs a hint, and where only a router can say anything.

use router_cli::{Exit, Program};
use router_core::{Alias, Hints, Model, Operation, Router, hint_fn, migrate_fn, relation_fn};

use crate::assert_shown;
use crate::world::World;

/// Sends the blog to the database of a user, whom only a session knows.
#[derive(Debug)]
struct ByUser;

struct UserId(Alias);

impl Router for ByUser {
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        self.db_for_write(model, hints)
    }

    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        hints.get::<UserId>().filter(|_| model.app == "blog").map(|user| user.0.clone())
    }

    fn missing_hint(&self, _: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<&'static str> {
        (model.app == "blog" && hints.get::<UserId>().is_none()).then_some("user_id")
    }
}

fn shop() -> World {
    World::shop().with(|program| program.router(ByUser))
}

#[test]
fn the_router_answers_with_its_hint() {
    let user = UserId("blog_db".into());
    let hints = Hints::default().extension(&user);
    assert_eq!(ByUser.db_for_read(&Model::app("blog"), &hints), Some("blog_db".into()));
}

#[test]
fn routes_shows_what_is_needed() {
    assert_shown!(shop().show(["routes"]), @r#"
    exit: 0
    --- stdout
    app     read             write            migrate
    users   default          default          default
    blog    needs `user_id`  needs `user_id`  blog_owner
    events  analytics        default          default
    legacy  default          default          -
    audit   analytics        default          default
    --- stderr
    a table of no app goes to default
    "#);
    assert_shown!(shop().show(["routes", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"default":"default","routes":[{"app":"users","read":"default","write":"default","migrate":["default"]},{"app":"blog","read":null,"write":null,"migrate":["blog_owner"],"needs":{"read":"user_id","write":"user_id"}},{"app":"events","read":"analytics","write":"default","migrate":["default"]},{"app":"legacy","read":"default","write":"default","migrate":[]},{"app":"audit","read":"analytics","write":"default","migrate":["default"]}]}
    --- stderr
    "#);
    let reads = World::shop().with(|program| {
        program.router(hint_fn(|operation, model, _| {
            (operation == Operation::Read && model.app == "users").then_some("region")
        }))
    });
    let json = reads.run(["routes", "--format", "json"]).stdout;
    assert!(
        json.contains(
            r#"{"app":"users","read":null,"write":"default","migrate":["default"],"needs":{"read":"region"}}"#
        ),
        "{json}"
    );
}

#[test]
fn route_shows_what_is_needed() {
    assert_shown!(shop().show(["route", "blog.posts", "--write"]), @r#"
    exit: 1
    --- stdout
    write blog.posts: needs `user_id`
      because router `ByUser` needs the hint `user_id` to say where `posts` of app `blog` is; give it with `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with `using`
    asked:
      ByUser: needs `user_id`
    --- stderr
    "#);
    assert_shown!(shop().show(["route", "blog", "--format", "json"]), @r#"
    exit: 1
    --- stdout
    {"app":"blog","table":null,"operation":"read","alias":null,"reason":"router `ByUser` needs the hint `user_id`","trace":[{"router":"ByUser","answer":null,"reason":null,"nested":[],"needs":"user_id"}],"error":{"code":"MissingHint","message":"router `ByUser` needs the hint `user_id` to say where app `blog` is; give it with `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with `using`"},"nodes":[]}
    --- stderr
    "#);
    assert_shown!(shop().show(["route", "--sql", "SELECT * FROM posts"]), @r#"
    exit: 1
    --- stdout
    operation: read (SELECT)
    table:     posts, app blog
               ByUser: needs `user_id`
    refused:   router `ByUser` needs the hint `user_id` to say where `posts` of app `blog` is; give it with `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with `using`
    --- stderr
    "#);
    assert_shown!(shop().show(["route", "--sql", "UPDATE posts SET id = 1", "--format", "json"]), @r#"
    exit: 1
    --- stdout
    {"operation":"write","tables":["posts"],"alias":null,"reason":"router `ByUser` needs the hint `user_id` to say where `posts` of app `blog` is; give it with `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with `using`","error":{"code":"MissingHint","message":"router `ByUser` needs the hint `user_id` to say where `posts` of app `blog` is; give it with `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with `using`"},"nodes":[]}
    --- stderr
    "#);
    // An app that the file does not know falls to no default either.
    let all = World::shop().with(|program| program.named_router("users", hint_fn(|_, _, _| Some("user_id"))));
    let ended = all.run(["route", "elsewhere"]);
    assert_eq!(ended.exit, Exit::Found);
    assert!(ended.stdout.starts_with("read elsewhere: needs `user_id`\n"), "{ended:?}");
}

#[test]
fn check_notes_what_it_cannot_follow() {
    let ended = shop().run(["check"]);
    assert_eq!(ended.exit, Exit::Fine, "{ended:?}");
    for operation in ["read", "write"] {
        let note = format!(
            "note[MissingHint]: for a {operation} of `blog`, router `ByUser` needs the hint `user_id`"
        );
        assert!(ended.stdout.contains(&note), "{ended:?}");
    }
    assert!(!ended.stdout.contains("UnknownDatabase"), "{ended:?}");
}

#[test]
fn diff_shows_what_is_needed() {
    let world = shop();
    let yaml = crate::world::SHOP
        .replace("apps: [users]", "apps: [users, blog]")
        .replace("apps: [blog]", "apps: []");
    let (old, new) = (world.path("databases.yml"), world.write("new.yml", &yaml));
    let ended = world.run(["diff", old.to_str().unwrap(), &new]);
    assert!(!ended.stdout.contains("default"), "statements go by the hint as before: {ended:?}");
}

/// Two databases that only a router in code knows, and an app that nobody claims.
#[cfg(feature = "sqlite")]
const TENANTS: &str = "
apps:
  users: { tables: [users], migrations: 'FOLDER/migrations/users' }
  blog: { tables: [posts, comments], migrations: 'FOLDER/migrations/blog' }
  shop: { tables: [products], migrations: 'FOLDER/migrations/shop' }

databases:
  default: { url: 'sqlite://FOLDER/default.sqlite3', apps: [users, shop] }
  tenant_a: { url: 'sqlite://FOLDER/a.sqlite3' }
  tenant_b: { url: 'sqlite://FOLDER/b.sqlite3' }
  lent: { url: 'sqlite://FOLDER/lent.sqlite3', migrate: false }
";

#[cfg(feature = "sqlite")]
fn on_tenants(program: Program) -> Program {
    let places = migrate_fn(|database, model, _| {
        (model.app == "blog").then(|| database.as_str().starts_with("tenant"))
    });
    program.router(ByUser).named_router("places", places)
}

#[cfg(feature = "sqlite")]
#[test]
fn migrations_run_where_a_router_says_without_a_hint() {
    let world = World::migrated_as(TENANTS).with(on_tenants);
    let plan = world.run(["plan", "--app", "blog"]);
    assert_eq!(plan.exit, Exit::Fine, "{plan:?}");
    assert!(plan.stdout.contains("tenant_a") && plan.stdout.contains("tenant_b"), "{plan:?}");
    assert!(!plan.stdout.contains("default"), "{plan:?}");
    assert!(
        plan.stderr.contains(
            "note: app `blog` needs `user_id` to be read or written, as router `ByUser` needs the hint `user_id`"
        ),
        "{plan:?}"
    );
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    let status = world.run(["status", "--check"]);
    assert_eq!(status.exit, Exit::Fine, "{status:?}");
    assert!(
        status.stderr.contains("needs `user_id`") && status.stderr.contains("nothing is pending\n"),
        "{status:?}"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn migrations_of_which_nobody_speaks_are_in_doubt() {
    let world = World::migrated_as(TENANTS).with(|program| program.router(ByUser));
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    let status = world.run(["status", "--check"]);
    assert_eq!(status.exit, Exit::Found, "{status:?}");
    assert!(
        status.stderr.contains(
            "default: warning: router `ByUser` needs the hint `user_id` to say where app `blog` is written"
        ),
        "{status:?}"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn the_stock_program_does_not_speak_for_routers() {
    let world = World::migrated_as(TENANTS);
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    assert_shown!(world.show(["status", "--check", "--app", "blog"]), @r#"
    exit: 1
    --- stdout
    database  migration        state    applied at
    default   blog/1_posts     applied  WHEN
    default   blog/2_comments  applied  WHEN
    --- stderr
    nothing is pending on the databases that the rules lead to
    note: no rule leads to `tenant_a`, `tenant_b`, and no database claims `blog`: only a router in code may lead here, and this program has none; ask the program that has your routers, or claim the apps in the file
    "#);
    assert_eq!(world.run(["status"]).exit, Exit::Fine, "nobody asked for a check");
    let json = world.run(["status", "--check", "--format", "json"]);
    assert_eq!(json.exit, Exit::Found);
    assert!(json.stdout.starts_with(r#"{"clean":false,"#), "{json:?}");
    assert!(json.stdout.ends_with("\"not_known\":[\"tenant_a\",\"tenant_b\"]}\n"), "{json:?}");
    // Of what was not asked about, nothing is said.
    assert_eq!(world.run(["status", "--check", "--database", "default"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "--check", "--app", "users"]).exit, Exit::Fine);
    // Where each app is claimed, a router has nothing to send.
    world.write("databases.yml", &TENANTS.replace("[users, shop]", "[users, shop, blog]"));
    let claimed = world.run(["status", "--check", "--format", "json"]);
    assert_eq!(claimed.exit, Exit::Fine, "{claimed:?}");
    assert!(
        claimed.stdout.starts_with(r#"{"clean":true,"#) && !claimed.stdout.contains("not_known"),
        "{claimed:?}"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn seeds_of_an_app_by_hint_are_not_sown_on_the_default() {
    let world = World::migrated_as(TENANTS).with(on_tenants);
    world.write("seeds/blog/1.sql", "INSERT INTO posts VALUES (1);");
    let seeds = world.path("seeds");
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    let ended = world.run(["seed", "--seeds", seeds.to_str().unwrap()]);
    assert_eq!(ended.exit, Exit::Fine, "{ended:?}");
    assert!(!ended.stdout.contains("blog/1.sql"), "{ended:?}");
    assert!(
        ended.stderr.contains("were sown nowhere: router `ByUser` needs the hint `user_id`"),
        "{ended:?}"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn check_and_plan_show_relations() {
    let world = World::migrated().with(|program| {
        program.named_router(
            "relations",
            relation_fn(|a, b, _| (a.table == Some("likes") && b.table == Some("posts")).then_some(false)),
        )
    });
    world.migration(
        "blog/3_likes",
        "CREATE TABLE likes (\n  post INTEGER REFERENCES posts (id),\n  person INTEGER REFERENCES users (id)\n);",
        "DROP TABLE likes;",
    );
    assert_shown!(world.show(["check"]), @r#"
    exit: 0
    --- stdout
    note[RelationRefused]: FOLDER/migrations/blog/3_likes/up.sql:2: `likes` of app `blog` refers to `posts` of app `blog`, and router `relations` allows no relation between them
      help: keep the id column, drop the constraint; or let the router's `allow_relation` say yes

    note[ReferenceElsewhere]: FOLDER/migrations/blog/3_likes/up.sql:3: refers to `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`
      help: keep the id column, drop the constraint

    FOLDER/databases.yml is sound: 4 databases, 3 apps
    --- stderr
    "#);
    let json = world.run(["plan", "--format", "json"]);
    assert_eq!(json.exit, Exit::Usage);
    assert!(json.stdout.contains(r#""code":"RelationRefused","app":"blog""#), "{json:?}");
    assert!(json.stdout.contains(r#""code":"ReferenceElsewhere","app":"blog""#), "{json:?}");
}
