//! A network that fails on command: a TCP proxy on 127.0.0.1 in front of a server.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    HarnessError,
    server::{free_port, url_through},
};

/// The most that is passed on at once.
const PIECE: usize = 16 * 1024;

/// A TCP proxy in front of a server on 127.0.0.1, which ends with this value.
///
/// A server that does not run looks, through the proxy, like one that accepts and hangs up. For one that refuses
/// connections there is [`cut`](Self::cut).
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    /// None while cut.
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    state: Mutex<State>,
    /// Told of each change of the state.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    traffic: Traffic,
    delay: Duration,
    accepted: u64,
    /// Both ends of each open connection, by the number of the connection.
    open: HashMap<u64, Vec<TcpStream>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Flows,
    Stalls,
    Cut,
}

impl Proxy {
    /// Starts a proxy to the server on a port.
    ///
    /// # Errors
    /// If no port can be opened.
    pub fn to(server: u16) -> Result<Self, HarnessError> {
        let state =
            State { traffic: Traffic::Flows, delay: Duration::ZERO, accepted: 0, open: HashMap::new() };
        let shared = Arc::new(Shared { server, state: Mutex::new(state), changed: Condvar::new() });
        let (port, listener) = listen_anywhere().map_err(HarnessError::io("open a port for a proxy"))?;
        let acceptor = Mutex::new(Some(accept(&shared, listener)));
        Ok(Self { shared, port, acceptor })
    }

    /// The port on 127.0.0.1. It stays the same when the proxy is cut and restored.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL that leads through the proxy where `url` leads to the server.
    ///
    /// # Panics
    /// If `url` leads elsewhere.
    #[must_use]
    pub fn url_through(&self, url: &str) -> String {
        url_through(self.port, self.shared.server, url)
    }

    /// Closes the port, so that connections are refused, and all connections that are open, with what is under way.
    pub fn cut(&self) {
        let mut acceptor = lock(&self.acceptor);
        self.change(|state| state.traffic = Traffic::Cut);
        if let Some(acceptor) = acceptor.take() {
            // It looks at the state after each connection that it accepts.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
            let _ = acceptor.join();
        }
        self.change(|state| state.open.drain().for_each(|(_, ends)| close(&ends)));
    }

    /// Holds back all bytes in both directions, and the ends of connections. Connections stay open, and new ones are
    /// accepted.
    ///
    /// # Errors
    /// If the port of a proxy that was cut cannot be opened.
    pub fn stall(&self) -> Result<(), HarnessError> {
        self.open(Traffic::Stalls)
    }

    /// Lets everything pass again, what was held back first, without delay.
    ///
    /// # Errors
    /// If the port of a proxy that was cut cannot be opened.
    pub fn restore(&self) -> Result<(), HarnessError> {
        self.change(|state| state.delay = Duration::ZERO);
        self.open(Traffic::Flows)
    }

    /// Holds back for so long each piece of at most 16 KiB that is sent from now on, in each direction. A short query
    /// and its answer together take twice that.
    pub fn delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    /// The number of connections that were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.lock().accepted
    }

    fn open(&self, traffic: Traffic) -> Result<(), HarnessError> {
        let mut acceptor = lock(&self.acceptor);
        if acceptor.is_some() {
            self.change(|state| state.traffic = traffic);
            return Ok(());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .map_err(HarnessError::io("open the port of a proxy again"))?;
        self.change(|state| state.traffic = traffic);
        *acceptor = Some(accept(&self.shared, listener));
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.lock());
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Adds an end to a connection; false if it was closed meanwhile.
    fn add(&self, connection: u64, end: &TcpStream) -> bool {
        let Ok(end) = end.try_clone() else { return false };
        match self.lock().open.get_mut(&connection) {
            Some(ends) => {
                ends.push(end);
                true
            }
            None => false,
        }
    }

    fn close(&self, connection: u64) {
        if let Some(ends) = self.lock().open.remove(&connection) {
            close(&ends);
        }
        self.changed.notify_all();
    }

    /// Waits until what was read from a connection at `since` may be written; false if it was closed meanwhile.
    fn let_pass(&self, connection: u64, since: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if !state.open.contains_key(&connection) {
                return false;
            }
            let rest = state.delay.saturating_sub(since.elapsed());
            state = if state.traffic == Traffic::Stalls {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if rest.is_zero() {
                return true;
            } else {
                let waited = self.changed.wait_timeout(state, rest);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

/// Accepts connections until the proxy is cut. The port is closed when the thread has ended.
fn accept(shared: &Arc<Shared>, listener: TcpListener) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut state = shared.lock();
            if state.traffic == Traffic::Cut {
                return;
            }
            // One that has gone before it was accepted is none.
            let Ok(client) = client else { continue };
            let Ok(end) = client.try_clone() else { continue };
            state.accepted += 1;
            let connection = state.accepted;
            state.open.insert(connection, vec![end]);
            drop(state);
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // Whatever fails here, the client sees a connection that is closed.
                let _ = serve(&shared, connection, &client);
                shared.close(connection);
            });
        }
    })
}

/// Passes bytes in both directions until both have ended.
fn serve(shared: &Shared, connection: u64, client: &TcpStream) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server))?;
    if !shared.add(connection, &server) {
        return Ok(());
    }
    for end in [client, &server] {
        end.set_nodelay(true)?;
    }
    let pass = |from, to| {
        if pass(shared, connection, from, to).is_err() {
            shared.close(connection);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| pass(&server, client));
        pass(client, &server);
    });
    Ok(())
}

/// Passes bytes in one direction until they end, and their end.
fn pass(shared: &Shared, connection: u64, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; PIECE];
    loop {
        let count = from.read(&mut buffer)?;
        if !shared.let_pass(connection, Instant::now()) {
            return Ok(());
        }
        if count == 0 {
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(&buffer[..count])?;
    }
}

fn close(ends: &[TcpStream]) {
    for end in ends {
        // The other side may have closed it already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn listen_anywhere() -> io::Result<(u16, TcpListener)> {
    let mut attempts = 10;
    loop {
        let port = free_port()?;
        attempts -= 1;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok((port, listener)),
            // Another process took it since it was found free.
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds one of these locks panics half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
