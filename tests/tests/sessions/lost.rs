//! A server that dies and comes back, on the engines that have one.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use router_diesel::config::Config;
use router_diesel::{Databases, RoutedConnection};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::{PASSWORD, Stop, require};

use crate::schema::posts;

fn databases<C: RoutedConnection>(url: &str) -> Databases<C> {
    // `validate_after` is far longer than the test, so that no ping hides what is tested.
    let yaml = format!(
        "databases: {{ default: {{ url: '{url}', pool: {{ validate_after: 10m, connection_timeout: 2s }} }} }}"
    );
    let config =
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"));
    Databases::builder(config).build().unwrap()
}

macro_rules! survives {
    ($name:ident, $server:ty, $connection:ty) => {
        #[test]
        fn $name() {
            let Some(mut server) = require(<$server>::start()) else { return };
            let database = server.database("blog").unwrap();
            let databases = databases::<$connection>(database.url());
            let create = "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title VARCHAR(9) NOT NULL)";
            diesel::sql_query(create).execute(&mut databases.session()).unwrap();
            let read = |conn: &mut router_diesel::Session<$connection>| {
                posts::table.select(posts::id).load::<i32>(conn)
            };
            let mut held = databases.session();
            let mut transaction = databases.session();
            read(&mut held).unwrap();

            server.stop(Stop::Kill).unwrap();

            // A pooled connection that died unseen fails once, and says whose it was.
            let error = read(&mut held).unwrap_err();
            assert!(matches!(error, DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)), "{error:?}");
            assert!(error.to_string().contains("`default`"), "{error}");
            assert!(!error.to_string().contains(PASSWORD), "{error}");
            // It is not handed out a second time: now the server itself is missed.
            let error = read(&mut held).unwrap_err();
            assert!(error.to_string().contains("`default` cannot be reached"), "{error}");
            assert!(!error.to_string().contains(PASSWORD), "{error}");
            let error = transaction.transaction(|conn| read(conn)).unwrap_err();
            assert!(error.to_string().contains("`default`"), "{error}");

            server.start_again().unwrap();
            let recovered = (0..100).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(50));
                read(&mut held).is_ok()
            });
            assert!(recovered);
            // No dead connection is left in the pool for anyone to meet.
            for _ in 0..10 {
                read(&mut databases.session()).unwrap();
                transaction.transaction(|conn| read(conn)).unwrap();
            }
        }
    };
}

survives!(postgres_dies_and_comes_back, Postgres, PgConnection);
survives!(mariadb_dies_and_comes_back, MariaDb, MysqlConnection);

macro_rules! loses_its_transaction {
    ($name:ident, $server:ty, $connection:ty) => {
        #[test]
        fn $name() {
            let Some(mut server) = require(<$server>::start()) else { return };
            let database = server.database("blog").unwrap();
            let databases = databases::<$connection>(database.url());
            let mut conn = databases.session();
            diesel::sql_query("CREATE TABLE posts (id INTEGER PRIMARY KEY)").execute(&mut conn).unwrap();
            let result = conn.transaction(|conn| {
                diesel::insert_into(posts::table).values(posts::id.eq(1)).execute(conn)?;
                server.stop(Stop::Kill).unwrap();
                server.start_again().unwrap();
                diesel::insert_into(posts::table).values(posts::id.eq(2)).execute(conn)
            });
            assert!(result.unwrap_err().to_string().contains("`default`"));
            // Nothing of it was kept, and the same session can begin anew.
            conn.transaction(|conn| {
                assert!(posts::table.select(posts::id).load::<i32>(conn)?.is_empty());
                diesel::insert_into(posts::table).values(posts::id.eq(3)).execute(conn)
            })
            .unwrap();
        }
    };
}

loses_its_transaction!(postgres_dies_in_a_transaction, Postgres, PgConnection);
loses_its_transaction!(mariadb_dies_in_a_transaction, MariaDb, MysqlConnection);
