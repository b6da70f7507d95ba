//! What a first look at a statement costs. Later looks are answered from a cache.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use router_diesel::statement::{Classifier, Dialect};

fn classify(criterion: &mut Criterion) {
    let statements = [
        (
            "select",
            r#"SELECT "posts"."id", "posts"."title", "posts"."body", "posts"."published" FROM "posts" INNER JOIN "users" ON ("posts"."user_id" = "users"."id") WHERE (("posts"."published" = $1) AND ("users"."name" = $2)) ORDER BY "posts"."id" DESC LIMIT $3"#,
        ),
        (
            "insert",
            r#"INSERT INTO "posts" ("title", "body", "published") VALUES ($1, $2, $3), ($4, $5, DEFAULT) RETURNING "posts"."id", "posts"."title""#,
        ),
        (
            "select for no key update (by tokens)",
            r#"SELECT "posts"."id", "posts"."title" FROM "posts" WHERE ("posts"."id" = $1) FOR NO KEY UPDATE SKIP LOCKED"#,
        ),
    ];
    let classifier = Classifier::new(Dialect::Postgres);
    for (name, sql) in statements {
        criterion.bench_function(name, |bencher| bencher.iter(|| classifier.classify(black_box(sql))));
    }
}

criterion_group!(benches, classify);
criterion_main!(benches);
