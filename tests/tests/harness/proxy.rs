use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use diesel::{prelude::*, sql_query};
use router_tests::{postgres::Postgres, proxy::Proxy, require};

/// Longer than anything takes that does not hang.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a test looks on while nothing happens.
const LOOK: Duration = Duration::from_millis(100);

/// A server that sends back what it is sent, until its process ends.
fn echo() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            // A client that was cut off is no failure of the server.
            thread::spawn(move || io::copy(&mut client.try_clone().unwrap(), &mut client));
        }
    });
    port
}

fn connect(proxy: &Proxy) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
}

fn send(mut client: &TcpStream, text: &str) {
    client.write_all(text.as_bytes()).unwrap();
}

/// What arrives within the limit: so many bytes, or fewer where the connection ends.
fn receive(mut client: &TcpStream, bytes: usize, limit: Duration) -> io::Result<String> {
    client.set_read_timeout(Some(limit))?;
    let mut text = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match client.read(&mut text[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(String::from_utf8_lossy(&text[..filled]).into_owned())
}

fn is_closed(client: &TcpStream) -> bool {
    match receive(client, 1, LIMIT) {
        Ok(text) => text.is_empty(),
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn is_silent(client: &TcpStream) -> bool {
    receive(client, 1, LOOK)
        .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn passes_what_is_sent_and_counts_connections() {
    let proxy = Proxy::to(echo()).unwrap();
    assert_eq!(proxy.accepted(), 0);
    let (one, two) = (connect(&proxy).unwrap(), connect(&proxy).unwrap());
    send(&one, "one");
    send(&two, "two");
    assert_eq!(receive(&two, 3, LIMIT).unwrap(), "two");
    assert_eq!(receive(&one, 3, LIMIT).unwrap(), "one");
    assert_eq!(proxy.accepted(), 2);

    // More than any buffer between here and there holds.
    let long = "0123456789".repeat(1_000_000);
    let received = thread::scope(|scope| {
        scope.spawn(|| send(&one, &long));
        receive(&one, long.len(), LIMIT).unwrap()
    });
    assert!(received == long);
}

#[test]
fn the_end_of_what_is_sent_is_passed_too() {
    let proxy = Proxy::to(echo()).unwrap();
    let client = connect(&proxy).unwrap();
    send(&client, "last words");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(receive(&client, 100, LIMIT).unwrap(), "last words");
}

#[test]
fn a_cut_closes_connections_and_refuses_new_ones_until_restored() {
    let proxy = Proxy::to(echo()).unwrap();
    let client = connect(&proxy).unwrap();
    send(&client, "before");
    assert_eq!(receive(&client, 6, LIMIT).unwrap(), "before");
    for round in 1..=3 {
        proxy.cut();
        proxy.cut();
        assert!(is_closed(&client));
        assert_eq!(connect(&proxy).unwrap_err().kind(), ErrorKind::ConnectionRefused);

        let port = proxy.port();
        proxy.restore().unwrap();
        assert_eq!(proxy.port(), port);
        let client = connect(&proxy).unwrap();
        send(&client, "after");
        assert_eq!(receive(&client, 5, LIMIT).unwrap(), "after");
        assert_eq!(proxy.accepted(), 1 + round);
    }
}

#[test]
fn a_stall_keeps_connections_open_and_all_bytes_back_until_restored() {
    let proxy = Proxy::to(echo()).unwrap();
    let old = connect(&proxy).unwrap();
    send(&old, "before");
    assert_eq!(receive(&old, 6, LIMIT).unwrap(), "before");

    proxy.stall().unwrap();
    let new = connect(&proxy).unwrap();
    send(&old, "old");
    send(&new, "new");
    assert!(is_silent(&old));
    assert!(is_silent(&new));

    proxy.restore().unwrap();
    assert_eq!(receive(&old, 3, LIMIT).unwrap(), "old");
    assert_eq!(receive(&new, 3, LIMIT).unwrap(), "new");
}

#[test]
fn a_stall_holds_back_answers_too() {
    // A server that answers when the test says so.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap().port()).unwrap();
    let client = connect(&proxy).unwrap();
    let (server, _) = listener.accept().unwrap();
    proxy.stall().unwrap();
    send(&server, "answer");
    drop(server);
    assert!(is_silent(&client));
    proxy.restore().unwrap();
    assert_eq!(receive(&client, 100, LIMIT).unwrap(), "answer");
}

#[test]
fn a_stalled_proxy_can_be_cut_and_one_that_was_cut_can_stall() {
    let proxy = Proxy::to(echo()).unwrap();
    proxy.stall().unwrap();
    let client = connect(&proxy).unwrap();
    send(&client, "lost");
    proxy.cut();
    assert!(is_closed(&client));

    proxy.stall().unwrap();
    let client = connect(&proxy).unwrap();
    send(&client, "late");
    assert!(is_silent(&client));
    proxy.restore().unwrap();
    assert_eq!(receive(&client, 4, LIMIT).unwrap(), "late");
}

#[test]
fn a_delay_holds_back_in_each_direction_and_ends_with_restore() {
    let proxy = Proxy::to(echo()).unwrap();
    let client = connect(&proxy).unwrap();
    let delay = Duration::from_millis(150);
    proxy.delay(delay);
    let start = Instant::now();
    send(&client, "slow");
    assert_eq!(receive(&client, 4, LIMIT).unwrap(), "slow");
    assert!(start.elapsed() >= 2 * delay, "{:?}", start.elapsed());

    proxy.delay(Duration::MAX);
    send(&client, "never");
    assert!(is_silent(&client));
    proxy.restore().unwrap();
    assert_eq!(receive(&client, 5, LIMIT).unwrap(), "never");
}

#[test]
fn a_server_that_is_down_hangs_up() {
    let proxy = Proxy::to(router_tests::free_port().unwrap()).unwrap();
    assert!(is_closed(&connect(&proxy).unwrap()));
}

#[test]
fn a_proxy_that_is_dropped_closes_its_port_and_its_connections() {
    let proxy = Proxy::to(echo()).unwrap();
    let (port, client) = (proxy.port(), connect(&proxy).unwrap());
    drop(proxy);
    assert!(is_closed(&client));
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[test]
fn a_client_of_a_database_sees_a_node_that_is_cut_stalled_and_restored() {
    let Some(server) = require(Postgres::shared()) else { return };
    let blog = server.database("blog").unwrap();
    let proxy = Proxy::to(server.port()).unwrap();
    let url = proxy.url_through(blog.url());
    let mut open = PgConnection::establish(&url).unwrap();
    sql_query("SELECT 1").execute(&mut open).unwrap();

    proxy.cut();
    sql_query("SELECT 1").execute(&mut open).unwrap_err();
    let refusal = PgConnection::establish(&url).err().unwrap().to_string();
    assert!(refusal.contains("refused"), "{refusal}");

    proxy.stall().unwrap();
    let late = PgConnection::establish(&format!("{url}?connect_timeout=2")).err().unwrap().to_string();
    assert!(late.contains("timeout expired"), "{late}");

    proxy.restore().unwrap();
    sql_query("SELECT 1").execute(&mut PgConnection::establish(&url).unwrap()).unwrap();
}

#[test]
#[should_panic(expected = "does not lead to port")]
fn a_url_of_another_server_is_refused() {
    let proxy = Proxy::to(echo()).unwrap();
    let _ = proxy.url_through("postgres://router@127.0.0.1:1/blog");
}
