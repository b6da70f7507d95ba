use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use router_diesel::AnyConnection;
use router_diesel::config::Database;
use router_diesel::tasks::{self, Lock, LockError};

use crate::world::{Engine, World};

crate::on_each_engine!(
    one_at_a_time,
    the_holder_is_named_and_its_death_releases,
    two_databases_have_two_locks,
    a_lost_lock_is_noticed,
);

fn lock(database: &Database, wait: Duration) -> Result<Lock, LockError> {
    tasks::lock::<AnyConnection>(database, wait)
}

fn one_at_a_time(engine: Engine) {
    let Some(blog) = engine.database("blog") else { return };
    // Two names for one database, as the service and as the owner.
    let world = World::new(&format!("databases: {{ a: {{ url: '{0}' }}, b: {{ url: '{0}' }} }}", blog.url()));
    let (inside, times) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (inside, times, world) = (&inside, &times, &world);
            scope.spawn(move || {
                let alias = if number % 2 == 0 { "a" } else { "b" };
                let mut lock = lock(world.database(alias), Duration::from_secs(60)).unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                std::thread::sleep(Duration::from_millis(5));
                lock.check().unwrap();
                times.fetch_add(1, Ordering::SeqCst);
                inside.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(times.into_inner(), 8);
}

/// An index is built without stopping writers only when all transactions that began before have ended: neither the
/// holder of the lock nor who waits for it may have one.
#[test]
fn an_index_is_built_concurrently_under_the_lock() {
    let Some(blog) = Engine::Postgres.database("blog") else { return };
    let world = World::new(&format!("databases: {{ default: {{ url: '{}' }} }}", blog.url()));
    world.execute("default", "CREATE TABLE posts (id INTEGER)");
    let mut held = lock(world.database("default"), Duration::ZERO).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock(world.database("default"), Duration::from_secs(60)).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        for number in 0..5 {
            let build = format!("CREATE INDEX CONCURRENTLY posts_{number} ON posts (id)");
            let mut conn = world.on("default");
            conn.batch_execute("SET statement_timeout = '20s'").unwrap();
            conn.batch_execute(&build).unwrap();
            held.check().unwrap();
        }
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap().unwrap();
    });
}

/// Another process that holds the lock, killed if it is not ended.
struct Holder(Child);

impl Holder {
    fn start(url: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_hold_lock"))
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Self(process)
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn the_holder_is_named_and_its_death_releases(engine: Engine) {
    let Some(blog) = engine.database("blog") else { return };
    let world = World::new(&format!("databases: {{ blog_db: {{ url: '{}' }} }}", blog.url()));
    let mut holder = Holder::start(blog.url());
    let pid = holder.0.id();

    let start = Instant::now();
    let wait = Duration::from_millis(300);
    let error = lock(world.database("blog_db"), wait).unwrap_err();
    assert!(start.elapsed() >= wait && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(!text.contains(router_tests::PASSWORD), "{text}");
    assert!(text.starts_with("database `blog_db` is locked by "), "{text}");
    let words: &[&str] = match engine {
        Engine::Sqlite => &["`dbrouter migrate on ", &format!(" pid {pid}`, since 20")],
        Engine::Postgres => &[
            "`dbrouter migrate on ",
            &format!(" pid {pid}`, user `router` from 127.0.0.1, connected since 20"),
            "`SELECT pg_terminate_backend(",
        ],
        Engine::MariaDb => &["by connection ", "user `router` from 127.0.0.1:", ", silent for ", "`KILL "],
    };
    for word in words {
        assert!(text.contains(word), "{word} is not in: {text}");
    }

    holder.kill();
    let mut lock = lock(world.database("blog_db"), Duration::from_secs(10)).unwrap();
    lock.check().unwrap();
}

fn two_databases_have_two_locks(engine: Engine) {
    let (Some(blog), Some(shop)) = (engine.database("blog"), engine.database("shop")) else { return };
    let world = World::new(&format!(
        "databases: {{ default: {{ url: '{}' }}, shop_db: {{ url: '{}' }} }}",
        blog.url(),
        shop.url()
    ));
    let _blog = lock(world.database("default"), Duration::ZERO).unwrap();
    let shop = lock(world.database("shop_db"), Duration::ZERO).unwrap();
    // Released at once, and not when the server notices.
    drop(shop);
    let _shop = lock(world.database("shop_db"), Duration::ZERO).unwrap();
}

fn a_lost_lock_is_noticed(engine: Engine) {
    let Some(blog) = engine.database("blog") else { return };
    let world = World::new(&format!("databases: {{ default: {{ url: '{}' }} }}", blog.url()));
    let mut held = lock(world.database("default"), Duration::ZERO).unwrap();
    held.check().unwrap();
    match engine {
        Engine::Sqlite => {
            let path = blog.url().trim_start_matches("sqlite://");
            std::fs::remove_file(format!("{path}.dbrouter.lock")).unwrap();
        }
        Engine::Postgres => world.execute(
            "default",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dbrouter migrate%'",
        ),
        Engine::MariaDb => {
            let error = lock(world.database("default"), Duration::ZERO).unwrap_err();
            let LockError::Held { holder: Some(holder), .. } = error else { panic!("{error}") };
            world.execute("default", &holder.end_with.unwrap());
        }
    }
    let error = held.check().unwrap_err();
    assert!(error.to_string().starts_with("database `default` is not locked any more"), "{error}");
}
