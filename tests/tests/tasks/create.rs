use std::time::Duration;

use router_diesel::AnyConnection;
use router_diesel::tasks::{Created, Force, Removal, TaskError};

use crate::world::{Engine, World};

crate::on_each_engine!(
    created_once_and_dropped_once,
    production_and_replicas_are_safe,
    one_failure_does_not_hide_the_others,
    what_is_not_there_is_not_made_in_passing,
);

fn created_once_and_dropped_once(engine: Engine) {
    let Some(beside) = engine.database("blog") else { return };
    let url = engine.absent(&beside);
    let world = World::new(&format!("databases: {{ blog_db: {{ url: '{}' }} }}", url.replace('\'', "''")));
    let create = || world.tasks().create().unwrap();
    let drop = || world.tasks().drop().unwrap();
    assert!(matches!(drop().on("blog_db").unwrap().removal, Removal::NotThere(_)));
    let report = create();
    assert!(matches!(report.on("blog_db"), Some(Created::Created(_))), "{report}");
    let report = create();
    assert!(matches!(report.on("blog_db"), Some(Created::AlreadyThere(_))), "{report}");
    {
        // Not the pool's, which would stay connected.
        let own = World::new(&format!("databases: {{ d: {{ url: '{}' }} }}", url.replace('\'', "''")));
        own.execute("d", "CREATE TABLE t (id INTEGER)");
        assert_eq!(own.count("d", "t"), 0);
        if engine == Engine::Postgres {
            let report = drop();
            let error = report.failures().next().unwrap();
            assert!(matches!(error, TaskError::InUse { .. }), "{error}");
            assert!(error.to_string().contains("(user `router`, process "), "{error}");
            let report = world.tasks().force(Force::Yes).drop().unwrap();
            assert!(report.is_success(), "{report}");
            assert!(create().is_success());
        }
    }
    // Its pool ends its connections a moment after it.
    let report = world.tasks().force(Force::Yes).drop().unwrap();
    assert!(matches!(report.on("blog_db").unwrap().removal, Removal::Dropped(_)), "{report}");
    assert!(matches!(drop().on("blog_db").unwrap().removal, Removal::NotThere(_)));
}

fn production_and_replicas_are_safe(engine: Engine) {
    let Some(blog) = engine.database("blog") else { return };
    let yaml = format!(
        "databases:
  default: {{ url: '{0}' }}
  reader: {{ url: '{0}', replica_of: default }}
  frozen: {{ url: '{0}', read_only: true }}
",
        blog.url()
    );
    let world = World::in_environment(&yaml, "production");
    world.execute("default", "CREATE TABLE t (id INTEGER)");
    for error in [world.tasks().drop().unwrap_err(), world.tasks().load_schema().unwrap_err()] {
        assert!(matches!(error, TaskError::Production { .. }), "{error}");
    }
    let error = world.tasks().force(Force::Yes).databases(["reader"]).drop().unwrap_err();
    assert_eq!(
        error.to_string(),
        "database `reader` is a replica of `default` and gets everything from there; name `default`"
    );
    let error = world.tasks().force(Force::Yes).databases(["frozen"]).drop().unwrap_err();
    assert_eq!(error.to_string(), "database `frozen` is `read_only: true`; take that away for the task");
    let error = world.tasks().databases(["defualt"]).create().unwrap_err();
    assert_eq!(error.to_string(), "unknown database `defualt`; did you mean `default`?");
    assert_eq!(world.count("default", "t"), 0);
}

fn what_is_not_there_is_not_made_in_passing(engine: Engine) {
    let Some(beside) = engine.database("blog") else { return };
    let url = engine.absent(&beside).replace("new/folder/", "new_");
    let world = World::new(&format!("databases: {{ blog_db: {{ url: '{}' }} }}", url.replace('\'', "''")));
    let report = world.tasks().dump_schema().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::Absent { .. }), "{error}");
    assert!(error.to_string().ends_with("; `dbrouter create --database blog_db` makes it"), "{error}");
    if engine != Engine::Sqlite {
        let database = world.database("blog_db");
        let error = router_diesel::tasks::lock::<AnyConnection>(database, Duration::ZERO).unwrap_err();
        assert!(error.to_string().ends_with("; `dbrouter create --database blog_db` makes it"), "{error}");
    }
    assert!(matches!(world.tasks().drop().unwrap().on("blog_db").unwrap().removal, Removal::NotThere(_)));
}

fn one_failure_does_not_hide_the_others(engine: Engine) {
    let Some(blog) = engine.database("blog") else { return };
    let port = router_tests::free_port().unwrap();
    let broken = match engine {
        Engine::Sqlite => "sqlite:///dev/null/x.sqlite3".to_owned(),
        Engine::Postgres => format!("postgres://u:hunter2@127.0.0.1:{port}/x"),
        Engine::MariaDb => format!("mysql://u:hunter2@127.0.0.1:{port}/x"),
    };
    let world = World::new(&format!(
        "databases: {{ broken: {{ url: '{broken}' }}, default: {{ url: '{}' }}, last: {{ url: '{}' }} }}",
        blog.url(),
        engine.absent(&blog).replace('\'', "''")
    ));
    let report = world.tasks().create().unwrap();
    assert_eq!(report.outcomes.len(), 3);
    assert!(!report.is_success());
    assert_eq!(report.failures().count(), 1);
    let text = report.to_string();
    assert!(text.starts_with("broken: failed: ") && !text.contains("hunter2"), "{text}");
    assert!(matches!(report.on("last"), Some(Created::Created(_))), "{text}");
    assert!(world.tasks().databases(["last"]).drop().unwrap().is_success());
}
