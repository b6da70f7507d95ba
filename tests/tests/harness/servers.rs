use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The same tests for each kind of server, which offers the same verbs.
macro_rules! suite {
    ($module:ident, $server:ty, $connection:ty, $name_of_database:literal) => {
        mod $module {
            use std::{collections::HashSet, thread};

            use diesel::{
                connection::SimpleConnection as _, dsl::sql, prelude::*, sql_query, sql_types::Text,
            };
            use router_tests::{PASSWORD, Stop, free_port, require};

            use super::{Held, port_is_closed};

            fn connect(url: &str) -> $connection {
                <$connection>::establish(url).unwrap()
            }

            fn name_of_database(conn: &mut $connection) -> String {
                diesel::select(sql::<Text>($name_of_database)).get_result(conn).unwrap()
            }

            #[test]
            fn answers_and_is_gone_when_dropped() {
                let Some(server) = require(<$server>::start()) else { return };
                let blog = server.database("blog").unwrap();
                assert_eq!(name_of_database(&mut connect(blog.url())), blog.name());
                assert!(blog.url().contains(PASSWORD));
                assert!(!format!("{blog:?}").contains(PASSWORD));

                let (folder, port) = (server.folder().to_owned(), server.port());
                assert!(folder.join("data").is_dir());
                drop((blog, server));
                assert!(!folder.exists());
                assert!(port_is_closed(port));
            }

            #[test]
            fn a_wrong_password_is_refused() {
                let Some(server) = require(<$server>::start()) else { return };
                let blog = server.database("blog").unwrap();
                assert!(<$connection>::establish(&blog.url().replace(PASSWORD, "guess")).is_err());
            }

            #[test]
            fn databases_keep_apart_and_are_dropped() {
                let Some(server) = require(<$server>::shared()) else { return };
                let (one, two) = (server.database("blog").unwrap(), server.database("blog").unwrap());
                let mut one_conn = connect(one.url());
                one_conn.batch_execute("CREATE TABLE posts (id INTEGER)").unwrap();
                sql_query("SELECT * FROM posts").execute(&mut connect(one.url())).unwrap();
                sql_query("SELECT * FROM posts").execute(&mut connect(two.url())).unwrap_err();

                let url = one.url().to_owned();
                drop(one);
                assert!(<$connection>::establish(&url).is_err());
                assert_eq!(name_of_database(&mut connect(two.url())), two.name());
            }

            #[test]
            fn comes_back_on_its_port_with_its_data() {
                let Some(mut server) = require(<$server>::start()) else { return };
                let blog = server.database("blog").unwrap();
                let port = server.port();
                connect(blog.url()).batch_execute("CREATE TABLE posts (id INTEGER)").unwrap();

                for stop in [Stop::Kill, Stop::Fast] {
                    let mut open = connect(blog.url());
                    sql_query("INSERT INTO posts VALUES (1)").execute(&mut open).unwrap();
                    server.stop(stop).unwrap();
                    sql_query("SELECT 1").execute(&mut open).unwrap_err();
                    assert!(<$connection>::establish(blog.url()).is_err());
                    assert!(port_is_closed(port));

                    server.start_again().unwrap();
                    assert_eq!(server.port(), port);
                    let posts = sql_query("DELETE FROM posts").execute(&mut connect(blog.url())).unwrap();
                    assert_eq!(posts, 1, "after {stop:?}");
                }
            }

            #[test]
            fn may_be_dropped_while_stopped() {
                let Some(mut server) = require(<$server>::start()) else { return };
                let blog = server.database("blog").unwrap();
                let folder = server.folder().to_owned();
                server.stop(Stop::Kill).unwrap();
                drop((blog, server));
                assert!(!folder.exists());
            }

            #[test]
            fn four_start_at_once() {
                let starts: Vec<_> = (0..4).map(|_| thread::spawn(<$server>::start)).collect();
                let started: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
                let Some(servers) = started.into_iter().map(require).collect::<Option<Vec<_>>>() else {
                    return;
                };
                let ports: HashSet<u16> = servers.iter().map(<$server>::port).collect();
                assert_eq!(ports.len(), 4);
                for server in &servers {
                    let database = server.database("blog").unwrap();
                    assert_eq!(name_of_database(&mut connect(database.url())), database.name());
                }
            }

            #[test]
            fn counts_the_statements_that_it_was_sent() {
                let Some(server) = require(<$server>::start()) else { return };
                let (blog, shop) = (server.database("blog").unwrap(), server.database("shop").unwrap());
                let (mut blog_conn, mut shop_conn) = (connect(blog.url()), connect(shop.url()));

                let mark = server.mark().unwrap();
                assert_eq!(server.statements_since(mark).unwrap(), []);
                blog_conn.transaction(|conn| sql_query("SELECT 1,\n2").execute(conn)).unwrap();
                name_of_database(&mut shop_conn);
                let statements = server.statements_since(mark).unwrap();
                let sent: Vec<_> = statements.iter().map(|s| (s.database.as_str(), s.sql.as_str())).collect();
                assert_eq!(
                    sent,
                    [
                        (blog.name(), "BEGIN"),
                        (blog.name(), "SELECT 1,\n2"),
                        (blog.name(), "COMMIT"),
                        (shop.name(), concat!("SELECT ", $name_of_database)),
                    ]
                );
                assert_eq!(statements[0].connection, statements[2].connection);
                assert_ne!(statements[0].connection, statements[3].connection);
                assert_eq!(server.statements_since(server.mark().unwrap()).unwrap(), []);
            }

            #[test]
            fn is_stopped_and_removed_when_its_process_is_killed() {
                if require(<$server>::start()).is_none() {
                    return;
                }
                let held = Held::start(stringify!($module));
                let (_, url) = &held.servers[0];
                assert_eq!(name_of_database(&mut connect(url)), url.rsplit('/').next().unwrap());
                held.goes_when_killed();
            }

            #[test]
            fn a_free_port_is_closed() {
                assert!(port_is_closed(free_port().unwrap()));
            }
        }
    };
}

suite!(postgres, router_tests::postgres::Postgres, PgConnection, "current_database()::text");
suite!(mariadb, router_tests::mariadb::MariaDb, MysqlConnection, "database()");

fn port_is_closed(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

/// Another process that holds servers.
pub(crate) struct Held {
    process: Child,
    servers: Vec<(PathBuf, String)>,
}

impl Held {
    pub(crate) fn start(servers: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_hold_server"))
            .arg(servers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut servers = Vec::new();
        while let Some(folder) = lines.next().filter(|line| !line.is_empty()) {
            servers.push((folder.into(), lines.next().unwrap()));
        }
        assert!(!servers.is_empty(), "nothing was started");
        Self { process, servers }
    }

    /// Asserts that all servers and their folders are there, and that they go, which other processes see to.
    pub(crate) fn goes_when_killed(mut self) {
        assert!(self.servers.iter().all(|(folder, url)| folder.exists() && !port_is_closed(port(url))));
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let is_there = |path: &Path| path.exists() || path.with_extension("gone").exists();
        let deadline = Instant::now() + Duration::from_secs(20);
        for (folder, url) in &self.servers {
            while is_there(folder) || !port_is_closed(port(url)) {
                assert!(Instant::now() < deadline, "{} or its server is still there", folder.display());
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn port(url: &str) -> u16 {
    let (_, address) = url.rsplit_once(':').unwrap();
    address.split('/').next().unwrap().parse().unwrap()
}
