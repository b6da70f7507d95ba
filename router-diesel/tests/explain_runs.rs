//! What `explain` says is where the statement then runs, and why is the branch that was taken.
//!
//! Random files, routers, scopes, transactions and node states, over SQLite files that each know their own name.
#![cfg(feature = "sqlite")]
#![allow(missing_docs, reason = "Diesel's macro writes public items")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use proptest::prelude::*;
use router_diesel::config::Config;
use router_diesel::statement::Dialect;
use router_diesel::{
    Alias, Databases, Error, ErrorKind, Explanation, Hints, Model, NodeReason, Role, Scope, Serves, Session,
    read_fn,
};
use tracing::field::{Field, Visit};
use tracing::span;

diesel::table! { posts { id -> Integer, name -> Text, number -> Integer } }
diesel::table! { users { id -> Integer, name -> Text, number -> Integer } }

diesel::allow_tables_to_appear_in_same_query!(posts, users);

const NAMES: [&str; 5] = ["default", "blog_db", "one", "two", "b_one"];

/// The events of one statement: the message of each with its fields.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<HashMap<String, String>>>>);

impl Events {
    fn take(&self) -> Vec<HashMap<String, String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Fields<'f>(&'f mut HashMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl tracing::Subscriber for Events {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("router_diesel")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = HashMap::new();
        event.record(&mut Fields(&mut fields));
        self.0.lock().unwrap().push(fields);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Debug, Clone)]
struct File {
    blog_on: &'static str,
    primary_reads: [&'static str; 2],
    policy: &'static str,
    /// The databases without a right to read, to write.
    no_read: Option<&'static str>,
    router: Option<Answer>,
    drained: Vec<&'static str>,
}

/// What a router of the project answers for reads: for everyone, or for one role alone.
#[derive(Debug, Clone, Copy)]
struct Answer {
    role: Option<Role>,
    alias: &'static str,
}

#[derive(Debug, Clone)]
enum Act {
    ReadPosts,
    ReadUsers,
    ReadBoth,
    UpdatePosts,
    UpdateUsers,
    NoTable,
    /// Leaves a temporary table behind, where the users are.
    LeaveState,
    Release,
    Scoped(u8, Vec<Act>),
    Using(&'static str, Vec<Act>),
    Transaction(Vec<Act>),
    Snapshot(Vec<Act>),
}

fn any_file() -> impl Strategy<Value = File> {
    let reads = prop::sample::select(vec!["fallback", "always", "never"]);
    let answer = (
        prop::sample::select(vec![None, Some(Role::Reading), Some(Role::Writing)]),
        prop::sample::select(NAMES.to_vec()),
    )
        .prop_map(|(role, alias)| Answer { role, alias });
    (
        prop::sample::select(vec!["default", "blog_db"]),
        [reads.clone(), reads],
        prop::sample::select(vec!["round_robin", "random", "weighted", "least_connections"]),
        prop::option::weighted(0.1, prop::sample::select(vec!["default", "blog_db"])),
        prop::option::of(answer),
        prop::collection::vec(prop::sample::select(NAMES.to_vec()), 0..3),
    )
        .prop_map(|(blog_on, primary_reads, policy, no_read, router, drained)| File {
            blog_on,
            primary_reads,
            policy,
            no_read,
            router,
            drained,
        })
}

fn any_act() -> impl Strategy<Value = Act> {
    let leaf = prop_oneof![
        6 => Just(Act::ReadPosts),
        4 => Just(Act::ReadUsers),
        1 => Just(Act::ReadBoth),
        2 => Just(Act::UpdatePosts),
        2 => Just(Act::UpdateUsers),
        1 => Just(Act::NoTable),
        1 => Just(Act::LeaveState),
        1 => Just(Act::Release),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let inner = prop::collection::vec(inner, 1..5);
        prop_oneof![
            (0_u8..4, inner.clone()).prop_map(|(kind, acts)| Act::Scoped(kind, acts)),
            (prop::sample::select(NAMES.to_vec()), inner.clone())
                .prop_map(|(alias, acts)| Act::Using(alias, acts)),
            inner.clone().prop_map(Act::Transaction),
            inner.prop_map(Act::Snapshot),
        ]
    })
}

impl File {
    fn databases(&self, folder: &std::path::Path) -> Databases<SqliteConnection> {
        let mut yaml =
            String::from("apps:\n  blog: { tables: [posts] }\n  people: { tables: [users] }\ndatabases:\n");
        for name in NAMES {
            let path = folder.join(name);
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            for table in ["posts", "users"] {
                conn.batch_execute(&format!(
                    "CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL);
                     INSERT INTO {table} VALUES (1, '{name}', 0)"
                ))
                .unwrap();
            }
            let url = format!("sqlite://{}", path.display());
            let primary = |index: usize, apps: &str| {
                let operations =
                    if self.no_read == Some(name) { "operations: [write, migrate], " } else { "" };
                let (reads, policy) = (self.primary_reads[index], self.policy);
                format!(
                    "{operations}apps: [{apps}], primary_reads: {reads}, policy: {policy}, primary_window: 1h"
                )
            };
            let blog = |here: &str| if self.blog_on == here { "blog" } else { "" };
            let rest = match name {
                "default" => primary(
                    0,
                    &format!(
                        "people{}{}",
                        if blog("default").is_empty() { "" } else { ", " },
                        blog("default")
                    ),
                ),
                "blog_db" => primary(1, blog("blog_db")),
                "b_one" => "replica_of: blog_db".to_owned(),
                _ => "replica_of: default".to_owned(),
            };
            yaml += &format!("  {name}: {{ url: '{url}', {rest} }}\n");
        }
        let config = Config::loader().yaml(yaml.clone(), "databases.yml").load();
        let config = config.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let mut builder = Databases::builder(config);
        if let Some(Answer { role, alias }) = self.router {
            builder = builder.router(read_fn(move |_: &Model<'_>, hints: &Hints<'_>| {
                (role.is_none() || hints.role == role).then(|| Alias::new(alias))
            }));
        }
        let databases = builder.build().unwrap();
        for alias in &self.drained {
            databases.drain(alias).unwrap();
        }
        databases
    }
}

/// One run: what was said and what came of it.
struct Check {
    events: Events,
    failures: Rc<RefCell<Vec<String>>>,
}

impl Check {
    /// Compares what was said of a statement with what came of it.
    fn compare(&self, what: &str, said: &Explanation, outcome: &QueryResult<Option<String>>) {
        let events = self.events.take();
        if let Err(why) = self.judge(said, outcome, &events) {
            self.failures.borrow_mut().push(format!("{what}: {why}\n{said}\n{outcome:?}\n{events:?}"));
        }
    }

    fn judge(
        &self,
        said: &Explanation,
        outcome: &QueryResult<Option<String>>,
        events: &[HashMap<String, String>],
    ) -> Result<(), String> {
        let error = outcome.as_ref().err().and_then(Error::from_diesel);
        if let Err(refusal) = said.alias() {
            let refused = error.and_then(Error::as_route);
            return if refused == Some(refusal) { Ok(()) } else { Err("not refused as said".to_owned()) };
        }
        let may: Vec<_> = said.nodes().iter().filter(|node| node.serves != Serves::No).collect();
        if !said.nodes().is_empty() && may.is_empty() {
            let is_so = error.map(Error::kind) == Some(ErrorKind::NoNode);
            return if is_so { Ok(()) } else { Err("a node that does not serve served".to_owned()) };
        }
        let Ok(ran_on) = outcome else { return Err("it failed".to_owned()) };
        let Some(ran_on) = ran_on else { return Ok(()) };
        if said.nodes().is_empty() {
            let alias = said.alias().unwrap().as_str();
            return if ran_on == alias { Ok(()) } else { Err(format!("ran on {ran_on}")) };
        }
        let node = may.iter().find(|node| node.alias.as_str() == ran_on);
        let node = node.ok_or_else(|| format!("ran on {ran_on}"))?;
        if node.serves == Serves::Maybe && said.node().is_some() {
            return Err("both sure and unsure".to_owned());
        }
        let reasons: Vec<&str> =
            events.iter().filter_map(|event| event.get("reason")).map(String::as_str).collect();
        let taken = |reason: &str| reasons.contains(&reason);
        let is_right = match &node.reason {
            NodeReason::Primary(why) => taken(&why.to_string()),
            NodeReason::SessionReadsFromIt => taken("this session reads from it"),
            NodeReason::NoReplicaMay | NodeReason::If(router_diesel::Condition::NoReplicaCan) => {
                taken("no replica may serve")
                    || taken("no replica has caught up")
                    || taken("no replica had caught up a moment ago")
            }
            NodeReason::NoOtherMay | NodeReason::Policy(_) | NodeReason::If(_) => taken("it was chosen"),
            other => return Err(format!("{other:?} served")),
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("{:?} was not the branch taken: {reasons:?}", node.reason))
        }
    }

    fn play(&self, conn: &mut Session<SqliteConnection>, acts: &[Act]) {
        for act in acts {
            self.act(conn, act);
        }
    }

    fn act(&self, conn: &mut Session<SqliteConnection>, act: &Act) {
        macro_rules! run {
            ($query:expr) => {{
                let said = conn.explain(&$query).unwrap();
                self.events.take();
                let outcome = $query.get_result::<String>(conn).map(Some);
                self.compare(&format!("{act:?}"), &said, &outcome);
            }};
        }
        match act {
            Act::ReadPosts => run!(posts::table.find(1).select(posts::name)),
            Act::ReadUsers => run!(users::table.find(1).select(users::name).into_boxed()),
            Act::ReadBoth => {
                let of_users = users::table.filter(users::number.ge(0)).select(users::id);
                run!(posts::table.filter(posts::id.eq_any(of_users)).select(posts::name));
            }
            Act::UpdatePosts => {
                let set = posts::number.eq(posts::number + 1);
                run!(diesel::update(posts::table.find(1)).set(set).returning(posts::name));
            }
            Act::UpdateUsers => {
                let set = users::number.eq(users::number + 1);
                run!(diesel::update(users::table.find(1)).set(set).returning(users::name));
            }
            Act::NoTable => {
                let query = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("'x'"));
                let said = conn.explain(&query).unwrap();
                self.events.take();
                let outcome = query.get_result::<String>(conn).map(|_| None);
                self.compare("NoTable", &said, &outcome);
            }
            Act::LeaveState => _ = conn.batch_execute("CREATE TEMP TABLE IF NOT EXISTS kept (id INTEGER)"),
            Act::Release => conn.release(),
            Act::Scoped(kind, acts) => {
                let scope = match kind {
                    0 => Scope::reading(),
                    1 => Scope::writing(),
                    2 => Scope::default().preventing_writes(),
                    _ => Scope::default().permitting_writes(),
                };
                conn.scoped(scope, |conn| self.play(conn, acts));
            }
            Act::Using(alias, acts) => self.play(&mut conn.using(alias).unwrap(), acts),
            Act::Transaction(acts) => {
                let _ = conn.transaction(|conn| {
                    self.play(conn, acts);
                    QueryResult::Ok(())
                });
            }
            Act::Snapshot(acts) => self.snapshot(conn, acts),
        }
    }

    fn snapshot(&self, conn: &mut Session<SqliteConnection>, acts: &[Act]) {
        let _ = conn.read_only_transaction(|conn| {
            for act in acts {
                let query = match act {
                    Act::ReadUsers => continue,
                    _ => posts::table.find(1).select(posts::name),
                };
                let said = conn.explain(&query).unwrap();
                self.events.take();
                let outcome = conn.get_result::<_, String>(query).map(Some);
                self.compare("in a snapshot", &said, &outcome);
            }
            QueryResult::Ok(())
        });
    }
}

/// Each case makes five databases: 64 of them take a few seconds. `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(64))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_said_is_what_happens(
        file in any_file(),
        acts in prop::collection::vec(any_act(), 1..16),
        in_test_transaction in prop::bool::weighted(0.1),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let databases = file.databases(folder.path());
        let check = Check { events: Events::default(), failures: Rc::default() };
        tracing::subscriber::with_default(check.events.clone(), || {
            let mut conn = databases.session();
            if in_test_transaction {
                conn.begin_test_transaction().unwrap();
            }
            check.play(&mut conn, &acts);
        });
        let failures = check.failures.borrow();
        prop_assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    }
}

/// A primary with a replica called `one`, and a database beside them.
fn two_databases(
    router: impl Fn(&Hints<'_>) -> Option<&'static str> + Send + Sync + 'static,
) -> Databases<SqliteConnection> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let yaml = format!(
        "apps: {{ blog: {{ tables: [posts] }} }}
databases:
  default: {{ url: 'sqlite://{}', apps: [blog] }}
  analytics: {{ url: 'sqlite://{}' }}
  one: {{ url: 'sqlite://{}', replica_of: default }}",
        path("default"),
        path("analytics"),
        path("one")
    );
    for name in ["default", "analytics", "one"] {
        let mut conn = SqliteConnection::establish(&path(name)).unwrap();
        let table =
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL)";
        conn.batch_execute(table).unwrap();
    }
    let config = Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let router = read_fn(move |_: &Model<'_>, hints: &Hints<'_>| router(hints).map(Alias::new));
    // The files live as long as the process; each has a few kilobytes.
    let _ = folder.keep();
    Databases::builder(config).router(router).build().unwrap()
}

#[test]
fn a_router_that_answers_by_role_is_the_reason() {
    let databases = two_databases(|hints| (hints.role == Some(Role::Reading)).then_some("analytics"));
    let mut conn = databases.session();
    let said = conn.scoped(Scope::reading(), |conn| conn.explain(&posts::table.count())).unwrap();
    assert_eq!(said.alias().unwrap(), "analytics");
    assert!(said.reason().contains("router `"), "{said}");
    assert!(!said.reason().contains("claims"), "{said}");
}

#[test]
fn a_session_with_state_stays_on_the_primary_also_where_the_routers_chose_a_replica() {
    let databases = two_databases(|_| Some("one"));
    let mut conn = databases.session();
    assert_eq!(conn.explain(&posts::table.count()).unwrap().node().unwrap(), "one");
    conn.batch_execute("CREATE TEMP TABLE kept (id INTEGER)").unwrap();
    let said = conn.explain(&posts::table.count()).unwrap();
    assert_eq!(said.node().unwrap(), "default");
    assert_eq!(said.nodes()[0].reason, NodeReason::Primary(router_diesel::OnPrimary::SessionState));
    assert_eq!(said.nodes()[0].why, "a statement has left something behind on its connection");
    posts::table.count().get_result::<i64>(&mut conn).unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["default"]);
}

#[test]
fn what_is_run_for_its_effect_goes_to_the_primary() {
    let databases = two_databases(|_| None);
    let mut conn = databases.session();
    posts::table.count().execute(&mut conn).unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["default"]);
    conn.release();
    conn.batch_execute("SELECT * FROM posts").unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["default"]);
}

#[test]
fn what_was_written_elsewhere_counts_in_a_transaction_on_another_database_too() {
    let databases = two_databases(|_| None);
    let mut conn = databases.session();
    conn.using("analytics")
        .unwrap()
        .transaction(|conn| {
            posts::table.count().get_result::<i64>(conn)?;
            let row = (posts::id.eq(7), posts::name.eq("new"), posts::number.eq(0));
            let mut by_hand = databases.write(posts::table).unwrap();
            diesel::insert_into(posts::table).values(row).execute(&mut by_hand)?;
            conn.written_elsewhere("default").unwrap();
            QueryResult::Ok(())
        })
        .unwrap();
    assert_eq!(posts::table.count().get_result::<i64>(&mut conn).unwrap(), 1);
}

#[test]
fn a_read_that_needs_a_primary_which_may_not_be_read_is_refused_and_explained_so() {
    let yaml = "apps: { blog: { tables: [posts] } }
databases:
  default: { url: 'sqlite://:memory:', operations: [write, migrate] }
  one: { url: 'sqlite://:memory:', replica_of: default, apps: [blog], operations: [read] }";
    let config = Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();
    let query = posts::table.count();
    assert_eq!(databases.explain(&query).unwrap().node().unwrap(), "one");
    let mut conn = databases.session();
    conn.batch_execute("CREATE TEMP TABLE kept (id INTEGER)").unwrap();
    let said = conn.explain(&query).unwrap();
    let refused = query.get_result::<i64>(&mut conn).unwrap_err();
    assert_eq!(said.alias().unwrap_err(), Error::from_diesel(&refused).and_then(Error::as_route).unwrap());
    assert!(said.nodes().is_empty(), "{said}");
    // What the parser did not read in full needs the primary, by the file alone too.
    let by_file = databases.routing().explain_sql("SELECT id FROM posts WHERE name IS ?", Dialect::Sqlite);
    assert!(by_file.alias().is_err(), "{by_file}");
}
