//! Credentials that a function of the program gives for each new connection.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use router_diesel::backend::Credentials;
use router_diesel::migrate::FailureKind;
use router_diesel::tasks::{TaskError, Tasks};
use router_diesel::{AnyConnection, Databases, Error, ErrorKind};
use router_tests::require;
use router_tests::sqlite::Sqlite;

use crate::world::{Engine, World, eventually, ping, posts, said};

on!(
    [Postgres, MariaDb],
    a_changed_password_is_asked_for_and_old_connections_live_on,
    they_go_before_those_of_the_url,
    one_that_fails_or_panics_is_an_error_of_its_own_kind,
    one_that_hangs_is_given_up,
    a_refused_user_is_told_from_a_server_that_is_out_of_reach,
    health_checks_and_migrations_and_tasks_ask_for_them,
);

/// Passwords with all that a URL would read in another way.
const FIRST: &str = "first p@ss/w%rd:?#&=+é";
const SECOND: &str = "second-p@ss/w%rd";
const SECRETS: [&str; 4] = [FIRST, SECOND, "first%20p", "second-p"];

/// A password that changes, and a function that gives it.
fn rotating() -> (Arc<Mutex<String>>, impl Fn() -> Credentials + Send + Sync + 'static) {
    let password = Arc::new(Mutex::new(FIRST.to_owned()));
    let current = Arc::clone(&password);
    (password, move || Credentials::password(current.lock().unwrap().as_str()))
}

fn is_refused(error: &Error) {
    let message = said(error, &SECRETS);
    assert_eq!(error.kind(), ErrorKind::Authentication, "{message}");
    assert!(!error.is_retryable(), "{message}");
    assert!(
        message.contains("`blog_db`") && message.contains("refused the user or the password"),
        "{message}"
    );
}

fn a_changed_password_is_asked_for_and_old_connections_live_on(engine: Engine) {
    let Some(world) = World::with_user(engine, FIRST) else { return };
    let (password, ask) = rotating();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let databases = world
        .builder(&world.url_of_user(None), ", pool: { max_size: 3 }")
        .credentials(move |alias| {
            assert_eq!(alias, "blog_db");
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>(ask())
        })
        .build()
        .unwrap();
    let mut old = databases.session();
    let count =
        |conn: &mut router_diesel::Session<AnyConnection>| posts::table.count().get_result::<i64>(conn);
    assert_eq!(count(&mut old), Ok(0));
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    world.set_password(SECOND);
    assert_eq!(count(&mut old), Ok(0), "the session's own connection lives on");
    // The function still gives the old one.
    let held: Vec<_> = databases.connection("blog_db").into_iter().collect();
    let error = databases.connection("blog_db").unwrap_err();
    is_refused(&error);
    drop(held);

    SECOND.clone_into(&mut password.lock().unwrap());
    let held = Mutex::new(Vec::new());
    eventually("a connection with the new password", || {
        let conn = databases.connection("blog_db");
        conn.map(|conn| held.lock().unwrap().push(conn)).is_ok() && held.lock().unwrap().len() == 2
    });
    assert!(asked.load(Ordering::Relaxed) >= 3);
    assert_eq!(count(&mut old), Ok(0));
    assert!(!format!("{databases:?} {:?}", databases.config()).contains("p@ss"));
}

fn they_go_before_those_of_the_url(engine: Engine) {
    let Some(world) = World::with_user(engine, FIRST) else { return };
    let user = world.user().to_owned();
    let wrong = world.url_of_user(Some("wrong-one"));
    is_refused(&ping(&world.builder(&wrong, "").build().unwrap()).unwrap_err());
    let answers = |answer: Option<Credentials>| {
        let builder = world.builder(&wrong, "").credentials(move |_| Ok::<_, String>(answer.clone()));
        ping(&builder.build().unwrap())
    };
    answers(Some(Credentials::password(FIRST))).unwrap();
    is_refused(&answers(None).unwrap_err());
    // The user of the URL is another one.
    let other = world.url().to_owned();
    let builder = world.builder(&other, "");
    let databases = builder.credentials(move |_| Ok::<_, String>(Credentials::of_user(user.as_str(), FIRST)));
    let databases = databases.build().unwrap();
    let who = match engine {
        Engine::Postgres => "SELECT current_user::text AS value",
        _ => "SELECT CAST(SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS CHAR) AS value",
    };
    let mut conn = databases.connection("blog_db").unwrap();
    assert_eq!(crate::world::text(&mut *conn, who).unwrap(), world.user());
    // The first function that answers counts.
    let databases = world
        .builder(&wrong, "")
        .credentials(|_| Ok::<Option<Credentials>, String>(None))
        .credentials(|_| Ok::<_, String>(Credentials::password(FIRST)))
        .credentials(|_| Err::<Credentials, _>("nobody asks this one"))
        .build()
        .unwrap();
    ping(&databases).unwrap();
}

fn is_of_setup(error: &Error, cause: &str) {
    let message = said(error, &SECRETS);
    assert_eq!(error.kind(), ErrorKind::Setup, "{message}");
    assert!(!error.is_retryable(), "{message}");
    assert!(message.contains("`blog_db`") && message.contains(cause), "{message}");
    assert!(message.contains("`credentials` hook of ") && message.contains("credentials.rs:"), "{message}");
}

fn one_that_fails_or_panics_is_an_error_of_its_own_kind(engine: Engine) {
    let Some(world) = World::with_user(engine, FIRST) else { return };
    let url = world.url_of_user(None);
    let fails = world.builder(&url, "").credentials(|_| Err::<Credentials, _>("the vault is sealed"));
    is_of_setup(&ping(&fails.build().unwrap()).unwrap_err(), "failed: the vault is sealed");
    let panics = world
        .builder(&url, "")
        .credentials(|alias| -> Result<Credentials, String> { panic!("no token for {alias}") });
    is_of_setup(&ping(&panics.build().unwrap()).unwrap_err(), "panicked: no token for blog_db");
    let nul = world.builder(&url, "").credentials(|_| Ok::<_, String>(Credentials::password("hunter\0two")));
    let error = ping(&nul.build().unwrap()).unwrap_err();
    assert!(!error.to_string().contains("hunter"), "{error}");
    is_of_setup(&error, "cannot be used");
}

fn one_that_hangs_is_given_up(engine: Engine) {
    let Some(world) = World::with_user(engine, FIRST) else { return };
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let hangs = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&hangs);
    let databases = world
        .builder(&world.url_of_user(None), ", pool: { connection_timeout: 2s }")
        .credentials(move |_| {
            if switch.load(Ordering::Relaxed) {
                let _ = ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
            }
            Ok::<_, String>(Credentials::password(FIRST))
        })
        .build()
        .unwrap();
    let error = ping(&databases).unwrap_err();
    let causes = ["did not end within 2s", "has not ended after"];
    let cause = causes.iter().find(|cause| error.to_string().contains(**cause));
    is_of_setup(&error, cause.unwrap_or_else(|| panic!("{error}")));
    hangs.store(false, Ordering::Relaxed);
    drop(end);
    eventually("the credentials", || ping(&databases).is_ok());
}

fn a_refused_user_is_told_from_a_server_that_is_out_of_reach(engine: Engine) {
    let Some(world) = World::with_user(engine, FIRST) else { return };
    world.migration("1_insert", "INSERT INTO posts (id, title) VALUES (1, 'a')");
    let databases = world.builder(&world.url_of_user(Some("second-one")), "").build().unwrap();
    is_refused(&ping(&databases).unwrap_err());
    let error = posts::table.count().get_result::<i64>(&mut databases.session()).unwrap_err();
    is_refused(Error::from_diesel(&error).unwrap());
    let error = databases.migrator().migrate().unwrap_err();
    let message = said(&error, &["second-one"]);
    assert_eq!(error.kind(), FailureKind::Authentication, "{message}");
    assert!(!error.is_retryable() && message.contains("refused the user or the password"), "{message}");
    let report = Tasks::<AnyConnection>::new(databases.routing()).create().unwrap();
    let failures: Vec<&TaskError> = report.failures().collect();
    let [error] = failures[..] else { panic!("{report}") };
    let message = said(error, &["second-one"]);
    assert!(matches!(error, TaskError::NotConnected { .. }) && !error.is_unreachable(), "{message}");
    // A user who is not there at all.
    let user = world.user().to_owned();
    let url = world.url_of_user(Some("second-one")).replace(&user, "nobody_of_that_name");
    is_refused(&ping(&world.builder(&url, "").build().unwrap()).unwrap_err());
    // Nobody listens.
    let port = router_tests::free_port().unwrap();
    let (before, after) = url.split_once("127.0.0.1:").unwrap();
    let url = format!("{before}127.0.0.1:{port}/{}", after.split_once('/').unwrap().1);
    let error = ping(&world.builder(&url, "").build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.is_retryable());
}

fn health_checks_and_migrations_and_tasks_ask_for_them(engine: Engine) {
    let Some(world) = World::with_user(engine, FIRST) else { return };
    world.migration("1_insert", "INSERT INTO posts (id, title) VALUES (1, 'a')");
    let url = world.url_of_user(None);
    let config = world.config(&url, "");
    // Without them, nobody is let in.
    let error =
        Databases::<AnyConnection>::builder(config).build().unwrap().migrator().migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Authentication, "{error}");
    let databases = world
        .builder(&url, "")
        .credentials(|_| Ok::<_, String>(Credentials::password(FIRST)))
        .build()
        .unwrap();
    databases.migrator().migrate().unwrap_or_else(|error| panic!("{error}"));
    let schema = world.folder.path().join("schema");
    let tasks = || Tasks::<AnyConnection>::new(databases.routing()).schema_folder(&schema);
    assert!(tasks().create().unwrap().is_success());
    let report = tasks().dump_schema().unwrap();
    for error in report.failures() {
        assert!(matches!(error, TaskError::MissingProgram { .. }), "{}", said(error, &SECRETS));
    }
    if report.is_success() {
        let dump = std::fs::read_to_string(schema.join("blog_db.sql")).unwrap();
        assert!(dump.contains("posts") && !dump.contains("p@ss"), "{dump}");
        world.admin("DROP TABLE posts");
        let report =
            tasks().record_incomplete().force(router_diesel::tasks::Force::Yes).load_schema().unwrap();
        assert!(report.is_success(), "{report}");
    }
    let url = databases.config().database("blog_db").unwrap().current_url().unwrap();
    assert!(!format!("{url} {url:?}").contains("p@ss"));

    // A replica that is the primary itself, to see that the monitor is let in.
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let copy = format!(
        ", health: {{ interval: 50ms }} }}\n  copy: {{ url: '{}', replica_of: blog_db",
        world.url_of_user(None)
    );
    let databases = world
        .builder(&world.url_of_user(None), &copy)
        .credentials(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>(Credentials::password(FIRST))
        })
        .build()
        .unwrap();
    databases.watch_clusters();
    eventually("the primary to be seen", || {
        let status = databases.cluster("blog_db").unwrap();
        status
            .nodes
            .iter()
            .any(|node| node.alias == "blog_db" && node.standing == router_diesel::cluster::Standing::Up)
    });
    assert!(asked.load(Ordering::Relaxed) >= 2);
}

/// A file has no users, so nobody is asked for one.
#[test]
fn sqlite_is_opened_without_credentials() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let database = sqlite.database("blog").unwrap();
    let yaml = format!("databases: {{ blog_db: {{ url: '{}' }} }}", database.url());
    let config = router_diesel::config::Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let databases = Databases::<AnyConnection>::builder(config)
        .credentials(|_| Err::<Credentials, _>("nobody asks"))
        .build()
        .unwrap();
    ping(&databases).unwrap();
}
