//! What only some engines have, or Diesel offers on one engine at a time: batch inserts and RETURNING.

use diesel::prelude::*;

use crate::schema::{Post, posts};

macro_rules! inserts_in_batches {
    ($name:ident, $suite:ident) => {
        #[test]
        fn $name() {
            let Some(world) = crate::$suite::world("") else { return };
            let mut conn = world.databases.session();
            let written = vec![Post::new(1, 1, "a"), Post::new(2, 1, "b")];
            assert_eq!(diesel::insert_into(posts::table).values(&written).execute(&mut conn).unwrap(), 2);
            assert_eq!(
                posts::table.order(posts::id).load::<Post>(&mut world.on("blog_db")).unwrap(),
                written
            );
            let none: [Post; 0] = [];
            assert_eq!(diesel::insert_into(posts::table).values(&none).execute(&mut conn).unwrap(), 0);
        }
    };
}

inserts_in_batches!(sqlite_inserts_in_batches, sqlite);
inserts_in_batches!(postgres_inserts_in_batches, postgres);
inserts_in_batches!(mariadb_inserts_in_batches, mariadb);

macro_rules! returning {
    ($name:ident, $suite:ident) => {
        #[test]
        fn $name() {
            let Some(world) = crate::$suite::world("") else { return };
            let mut conn = world.databases.session();
            for written in [Post::new(1, 1, "a"), Post::new(2, 1, "b")] {
                let returned: Post =
                    diesel::insert_into(posts::table).values(&written).get_result(&mut conn).unwrap();
                assert_eq!(returned, written);
            }
            let title = diesel::update(posts::table.find(1))
                .set(posts::title.eq("c"))
                .returning(posts::title)
                .get_result::<String>(&mut conn)
                .unwrap();
            assert_eq!(title, "c");
            let refused = conn.prevent_writes(|conn| {
                diesel::delete(posts::table).returning(posts::id).get_results::<i32>(conn)
            });
            assert!(refused.is_err());
            let gone =
                diesel::delete(posts::table).returning(posts::id).get_results::<i32>(&mut conn).unwrap();
            assert_eq!(gone.len(), 2);
        }
    };
}

returning!(sqlite_returns, sqlite);
returning!(postgres_returns, postgres);
