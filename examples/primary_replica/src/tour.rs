//! The tour itself: the same for every engine.

use std::error::Error;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use router_diesel::cluster::Standing;
use router_diesel::{AnyConnection, Databases, Session};

use crate::report::Report;
use crate::stage::{self, Stage};

type Conn = Session<AnyConnection>;

diesel::table! {
    posts { id -> Integer, title -> Text }
}

/// How long the tour waits for the health checks to notice something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes every stop of the tour. Each `session()` stands for one request of a service.
pub(crate) fn tour(stage: &mut dyn Stage) -> Result<Report, Box<dyn Error>> {
    let databases = stage::open(stage)?;
    let mut report = Report::new(stage.title());
    set_up(&databases, stage)?;

    report.chapter("Reads go to the replicas. A session keeps to one of them");
    let mut conn = databases.session();
    read("a session reads", &mut conn, stage, &mut report)?;
    read("the same session again", &mut conn, stage, &mut report)?;
    read("another session", &mut databases.session(), stage, &mut report)?;

    report.chapter("A write goes to the primary. Who wrote reads there, until a replica has it");
    stage.delay_replicas()?;
    let mut writer = databases.session();
    write(2, "Second", &mut writer, &mut report)?;
    let token = writer.token()?;
    read("the session that wrote", &mut writer, stage, &mut report)?;

    report.chapter("The next request may be anywhere. Its token says what it must see");
    read("without the token: a stale read", &mut databases.session(), stage, &mut report)?;
    read("with the token", &mut databases.session_after(&token)?, stage, &mut report)?;
    let cut_off = databases.session_after(&token[..8]);
    report.row(
        "with a token that was cut off",
        "refused",
        cut_off.err().as_ref().map(first_words).unwrap_or_default(),
    );

    report.chapter("Once the replicas have it, they serve it");
    stage.catch_up()?;
    read("the session that wrote", &mut writer, stage, &mut report)?;
    read("with the token", &mut databases.session_after(&token)?, stage, &mut report)?;
    read("without the token", &mut databases.session(), stage, &mut report)?;

    report.chapter("A replica that is drained serves nothing: `databases.drain(\"replica_1\")`");
    databases.drain("replica_1")?;
    for session in ["a session reads", "another session"] {
        read(session, &mut databases.session(), stage, &mut report)?;
    }
    show(&databases, |replica| *replica == Standing::Drained, &mut report)?;
    databases.undrain("replica_1")?;

    if stage.kill(0)? {
        report.chapter("A replica that dies is left alone until it answers. No read fails");
        for session in ["a session reads", "another session", "a third one"] {
            read(session, &mut databases.session(), stage, &mut report)?;
        }
        show(&databases, |replica| matches!(replica, Standing::Banned { .. }), &mut report)?;
    }

    report.chapter("`databases.cluster(\"default\")` counts the reads that fell back");
    let status = databases.cluster("default")?;
    report.row("to the primary, as no replica might serve", "", status.reads_without_replica.to_string());
    report.row("to the primary, as no replica had caught up", "", status.reads_ahead_of_replicas.to_string());
    Ok(report)
}

/// Makes the table and the first post on the primary, and waits until the replicas have both.
fn set_up(databases: &Databases<AnyConnection>, stage: &mut dyn Stage) -> Result<(), Box<dyn Error>> {
    let mut conn = databases.session();
    conn.batch_execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, title VARCHAR(100) NOT NULL)")?;
    diesel::insert_into(posts::table)
        .values((posts::id.eq(1), posts::title.eq("First")))
        .execute(&mut conn)?;
    drop(conn);
    stage.catch_up()
}

/// Reads the titles, and asks in the same statement who answers: what the report says is what happened.
fn read(what: &str, conn: &mut Conn, stage: &dyn Stage, report: &mut Report) -> QueryResult<()> {
    let query = posts::table.order(posts::id).select((posts::title, sql::<Text>(stage.who())));
    let (titles, who): (Vec<String>, Vec<String>) = query.load::<(String, String)>(conn)?.into_iter().unzip();
    let node = who.first().map_or_else(|| "nobody".to_owned(), |answer| stage.alias(answer));
    report.row(what, node, titles.join(", "));
    Ok(())
}

fn write(id: i32, title: &str, conn: &mut Conn, report: &mut Report) -> QueryResult<()> {
    let post = diesel::insert_into(posts::table).values((posts::id.eq(id), posts::title.eq(title)));
    // A write goes to the database that the rules name, and to no other node: `explain` is enough.
    let node = conn.explain(&post)?.alias().map_or_else(ToString::to_string, ToString::to_string);
    let rows = post.execute(conn)?;
    report.row("a session writes", node, format!("{rows} row: {title}"));
    Ok(())
}

/// Shows how the nodes stand, once the first replica does as it should and the others are known to be up: the health
/// checks run beside the tour.
fn show(
    databases: &Databases<AnyConnection>,
    is_settled: fn(&Standing) -> bool,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let status = loop {
        let status = databases.cluster("default")?;
        let all = status.nodes.iter().all(|node| {
            if node.alias == "replica_1" { is_settled(&node.standing) } else { node.standing == Standing::Up }
        });
        if all || start.elapsed() > PATIENCE {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    for node in status.nodes {
        let standing = match node.standing {
            // The rest is the client library's message, with ports and addresses.
            Standing::Banned { .. } => "banned".to_owned(),
            standing => standing.to_string(),
        };
        report.row("", node.alias.to_string(), standing);
    }
    Ok(())
}

/// What an error says, without its advice.
fn first_words(error: &router_diesel::Error) -> String {
    let text = error.to_string();
    text.split(';').next().unwrap_or_default().to_owned()
}
