use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{HarnessError, account::Account, guardian::Guardian, program};

/// How a test stops its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As an operator does: clients are cut off, and everything is written down.
    Fast,
    /// As a power cut does: SIGKILL.
    Kill,
}

/// The signals that stop one kind of server.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Stops it in order.
    pub(crate) fast: &'static str,
    /// Stops it at once, and leaves nothing of it running.
    pub(crate) now: &'static str,
}

/// How one kind of server is run.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The name of its temporary folders, and of the messages.
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) account: Account,
    pub(crate) signals: Signals,
    pub(crate) listen: Listen,
    /// Asks the server on a port which data folder it serves.
    pub(crate) data_folder: fn(u16) -> Option<String>,
    /// That data folder, where it is not the server's own.
    pub(crate) data: Option<PathBuf>,
}

/// How a server is told its port.
#[derive(Debug)]
pub(crate) enum Listen {
    /// By its argument `--port`.
    Argument,
    /// By this file in its folder, with this text.
    File { name: &'static str, text: fn(u16) -> String },
}

/// A running server, its port and its throw-away folder.
#[derive(Debug)]
pub(crate) struct Server {
    engine: Engine,
    arguments: Vec<OsString>,
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
    // Last, so that it removes the folder when the server has stopped.
    _guardian: Guardian,
}

/// Whether a start may choose another port.
#[derive(Clone, Copy)]
enum Port {
    Any,
    Same,
}

impl Server {
    /// Makes the folder, lets `prepare` fill it and name the server's arguments, and starts the server.
    pub(crate) fn start(
        engine: Engine,
        prepare: impl FnOnce(&Engine, &Path) -> Result<Vec<OsString>, HarnessError>,
    ) -> Result<Self, HarnessError> {
        let prefix = format!("router-{}-", engine.name);
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(place_of_folders())
            .map_err(HarnessError::io("make a folder for a server"))?;
        let guardian = Guardian::of(folder.path(), engine.signals.now)?;
        let folder = folder.keep();
        // A server names its folders without symbolic links, and is known by that name.
        let folder = folder.canonicalize().map_err(HarnessError::io("find the folder of a server"))?;
        engine.account.own(&folder)?;
        let arguments = prepare(&engine, &folder)?;
        let mut server = Self { engine, arguments, folder, port: 0, process: None, _guardian: guardian };
        server.launch(Port::Any)?;
        Ok(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts a stopped server again, on the same port and with its data.
    pub(crate) fn start_again(&mut self) -> Result<(), HarnessError> {
        if self.is_running() { Ok(()) } else { self.launch(Port::Same) }
    }

    /// Stops the server, if it runs.
    pub(crate) fn stop(&mut self, stop: Stop) -> Result<(), HarnessError> {
        match stop {
            Stop::Fast => self.end(self.engine.signals.fast),
            Stop::Kill => self.end("KILL"),
        }
    }

    fn end(&mut self, signal: &str) -> Result<(), HarnessError> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        // PostgreSQL's server processes outlive a killed parent until they notice, and answer once more. After a
        // power cut nobody answers, so they are killed with it.
        let children = if signal == "KILL" { children_of(process.id()) } else { Vec::new() };
        program::run(
            Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal]).arg(process.id().to_string()),
        )?;
        for child in children {
            // One that has gone already is no failure.
            let _ = program::run(Command::new("sh").args(["-c", "kill -s KILL \"$0\""]).arg(child));
        }
        let name = self.engine.name;
        if wait(&mut process, Duration::from_secs(20)).is_none() {
            process.kill().and_then(|()| process.wait()).map_err(HarnessError::io(format!("stop {name}")))?;
        }
        self.forget_process()
    }

    /// The number is another process's soon, which the guardian must not touch.
    fn forget_process(&self) -> Result<(), HarnessError> {
        fs::remove_file(self.folder.join("pid")).map_err(HarnessError::io("remove a server's `pid`"))
    }

    fn launch(&mut self, port: Port) -> Result<(), HarnessError> {
        let mut attempts = 10;
        loop {
            if matches!(port, Port::Any) {
                self.port = free_port().map_err(HarnessError::io("find a free port"))?;
            }
            let mut process = self.spawn()?;
            let Some(exit) = self.until_ready(&mut process)? else {
                self.process = Some(process);
                return Ok(());
            };
            self.forget_process()?;
            // Another process took the port since it was found free, or what was killed still holds the data.
            attempts -= 1;
            if attempts == 0 {
                return Err(self.failed(&format!("ended with {exit}")));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn spawn(&self) -> Result<Child, HarnessError> {
        let log = File::options().append(true).create(true).open(self.log());
        let log = log.map_err(HarnessError::io("make a server's log"))?;
        let log_too = log.try_clone().map_err(HarnessError::io("share a server's log"))?;
        let folder = &self.folder;
        let port = match self.engine.listen {
            Listen::Argument => Some(format!("--port={}", self.port)),
            Listen::File { name, text } => {
                let file = folder.join(name);
                fs::write(&file, text(self.port)).map_err(HarnessError::io("write a server's port"))?;
                self.engine.account.own(&file)?;
                None
            }
        };
        // The shell becomes the server. It leaves its number to the guardian first.
        self.engine
            .account
            .command("sh", folder)
            .args(["-c", "echo $$ >pid && exec \"$0\" \"$@\""])
            .arg(&self.engine.program)
            .args(&self.arguments)
            .args(port)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(HarnessError::io(format!("start {}", self.engine.name)))
    }

    /// Waits until the server answers, or has ended.
    fn until_ready(&self, process: &mut Child) -> Result<Option<ExitStatus>, HarnessError> {
        let data = self.engine.data.clone().unwrap_or_else(|| self.folder.join("data"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(exit) = wait(process, Duration::from_millis(10)) {
                return Ok(Some(exit));
            }
            // Another server may have taken the port: it must be ours that answers.
            if (self.engine.data_folder)(self.port).is_some_and(|folder| Path::new(&folder) == data) {
                return Ok(None);
            }
        }
        let _ = process.kill().and_then(|()| process.wait());
        Err(self.failed("did not answer within 60 seconds"))
    }

    fn failed(&self, what: &str) -> HarnessError {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = program::last_lines(&String::from_utf8_lossy(&log));
        HarnessError::Failed { program: self.engine.name.to_owned(), output: format!("{log}\n{what}") }
    }

    /// The file that the server writes its messages to.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What does not stop here the guardian stops.
        let _ = self.end(self.engine.signals.now);
    }
}

/// Where the servers' folders are made: in memory where a gigabyte is free there and `TMPDIR` names no other place.
///
/// A PostgreSQL data folder has a thousand files. ext4, which looks twice at every inode that was given back a short
/// while ago, takes most of a second to make them again for the next test; memory takes a twentieth.
fn place_of_folders() -> PathBuf {
    const MEMORY: &str = "/dev/shm";
    let free_kib = || {
        let table = program::run(Command::new("df").args(["-Pk", MEMORY])).ok()?;
        table.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()
    };
    if env::var_os("TMPDIR").is_none() && free_kib().is_some_and(|free| free > 1024 * 1024) {
        MEMORY.into()
    } else {
        env::temp_dir()
    }
}

/// The processes that a process has started, by `/proc`; none where there is no such folder.
fn children_of(parent: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let parent = parent.to_string();
    entries
        .flatten()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // `pid (name) state parent …`, where a name may hold anything.
            let after_name = stat.rsplit(')').next()?;
            let is_child = after_name.split_whitespace().nth(1) == Some(parent.as_str());
            is_child.then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

/// Waits for the end of a process, for so long at most.
fn wait(process: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        // An error means that there is nothing to wait for, which `spawn` excludes.
        if let Some(exit) = process.try_wait().expect("the process is our child") {
            return Some(exit);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A port of 127.0.0.1 that nobody listens on.
///
/// It lies below the range from which systems give ports to outgoing connections, so that a server that was stopped
/// finds its port still free, and a test of a closed port finds it closed.
///
/// # Errors
/// If no port can be opened at all.
pub fn free_port() -> std::io::Result<u16> {
    let mut attempts = 100;
    loop {
        // Each `RandomState` has keys of its own, which is all the randomness that this needs.
        let random = RandomState::new().build_hasher().finish();
        let port = 15_000 + u16::try_from(random % 15_000).expect("the remainder is below 15000");
        attempts -= 1;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// `url` with `port` in place of the port `server`, which a harness's URL names after its host.
///
/// # Panics
/// If `url` leads elsewhere.
pub(crate) fn url_through(port: u16, server: u16, url: &str) -> String {
    let (from, to) = (format!("@127.0.0.1:{server}/"), format!("@127.0.0.1:{port}/"));
    assert!(url.contains(&from), "the URL does not lead to port {server} of 127.0.0.1");
    url.replacen(&from, &to, 1)
}
