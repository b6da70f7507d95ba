//! A connection is encrypted where its URL asks for it, or there is none.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use diesel::{RunQueryDsl as _, sql_query};
use router_cli::{Exit, Program};
use router_diesel::backend::{Access, ClientProgram};
use router_diesel::config::{Config, DatabaseUrl};
use router_diesel::{AnyConnection, Databases, ErrorKind};
use router_tests::mariadb::MariaDb;
use router_tests::{PASSWORD, require};
use tempfile::TempDir;

/// A certificate of a server on 127.0.0.1, which its user may read.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Self { folder };
        let output = Command::new("openssl")
            .args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1".split(' '))
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(certificate.file("key.pem"))
            .arg("-out")
            .arg(certificate.file("cert.pem"))
            .output()
            .expect("openssl makes the certificate");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for (path, mode) in [
                (certificate.folder.path().to_owned(), 0o755),
                (certificate.file("key.pem"), 0o644),
                (certificate.file("cert.pem"), 0o644),
            ] {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        certificate
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }
}

fn yaml(url: &str) -> String {
    format!("databases: {{ default: {{ url: '{url}', pool: {{ connection_timeout: 5s }} }} }}")
}

fn databases(url: &str) -> Databases<AnyConnection> {
    Databases::builder(Config::from_yaml(&yaml(url)).unwrap()).build().unwrap()
}

#[test]
fn without_tls_nothing_is_sent_after_the_question_for_it() {
    let Some(server) = require(MariaDb::start()) else { return };
    let database = server.database("blog").unwrap();
    let certificate = Certificate::new();
    for query in ["ssl_mode=required".to_owned(), format!("ssl_ca={}", certificate.path("cert.pem"))] {
        let url = format!("{}?{query}", database.url());
        let mark = server.mark().unwrap();
        let error = databases(&url).connection("default").unwrap_err();
        // Some client libraries refuse by themselves where they are given a certificate.
        if query.starts_with("ssl_mode") || error.kind() != ErrorKind::Unreachable {
            assert_eq!(error.kind(), ErrorKind::NotEncrypted, "{query}: {error}");
            assert!(
                error.to_string().contains("not encrypted and was closed; turn TLS on at the server"),
                "{error}"
            );
        }
        assert!(!error.to_string().contains(PASSWORD), "{error}");

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("databases.yml");
        let migrations = folder.path().join("migrations");
        fs::create_dir_all(migrations.join("1_posts")).unwrap();
        fs::write(migrations.join("1_posts/up.sql"), "CREATE TABLE posts (id INTEGER);\n").unwrap();
        let apps = format!("apps: {{ blog: {{ tables: [posts], migrations: '{}' }} }}", migrations.display());
        fs::write(&file, format!("{apps}\n{}", yaml(&url).replace("pool:", "apps: [blog], pool:"))).unwrap();
        let file = file.to_str().unwrap();
        let schema = folder.path().join("schema");
        for command in [
            &["check", "--connect"][..],
            &["health"],
            &["migrate"],
            &["status"],
            &["create"],
            &["drop"],
            &["schema", "dump", "--folder", schema.to_str().unwrap()],
        ] {
            let arguments = [&["dbrouter"], command, &["--config", file]].concat();
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let exit = Program::new().run(arguments, &mut stdout, &mut stderr);
            assert_ne!(exit, Exit::Fine, "{command:?}");
            let told = String::from_utf8([stdout, stderr].concat()).unwrap();
            assert!(!told.contains(PASSWORD), "{command:?}: {told}");
        }
        let sent = server.statements_since(mark).unwrap();
        let strange: Vec<_> = sent
            .iter()
            .filter(|sent| !(sent.sql.starts_with("SET ") || sent.sql.contains("'Ssl_cipher'")))
            .collect();
        assert!(strange.is_empty(), "{query}: {strange:?}");
        // The client program refuses by itself.
        let url: DatabaseUrl = url.parse().unwrap();
        for access in [Access::ReadWrite, Access::ReadOnly] {
            let client = ClientProgram::new(&url, access).unwrap();
            let output = client.command("mariadb").args(["--execute", "SELECT 1"]).output().unwrap();
            assert!(!output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn with_tls_the_connection_has_a_cipher() {
    let certificate = Certificate::new();
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    let settings = [("ssl-ca", &*cert), ("ssl-cert", &*cert), ("ssl-key", &*key)];
    let Some(server) = require(MariaDb::start_with(&settings)) else { return };
    let database = server.database("blog").unwrap();
    for query in [format!("ssl_ca={cert}"), format!("ssl_mode=required&ssl_ca={cert}")] {
        let databases = databases(&format!("{}?{query}", database.url()));
        let mut conn = databases.connection("default").unwrap_or_else(|error| panic!("{query}: {error}"));
        sql_query("SELECT 1").execute(&mut *conn).unwrap();
        let url: DatabaseUrl = format!("{}?{query}", database.url()).parse().unwrap();
        for (access, read_only) in [(Access::ReadWrite, "0"), (Access::ReadOnly, "1")] {
            let client = ClientProgram::new(&url, access).unwrap();
            let question = "SELECT @@tx_read_only; SHOW SESSION STATUS LIKE 'Ssl_cipher'";
            let output =
                client.command("mariadb").args(["--batch", "-N", "--execute", question]).output().unwrap();
            let answer = String::from_utf8_lossy(&output.stdout);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(answer.starts_with(read_only) && answer.contains("TLS"), "{query}: {answer} {told}");
        }
    }
    // MariaDB's client library asks for no TLS by itself, MySQL's does. Neither leaves a connection in plain text.
    if let Err(error) = databases(&format!("{}?ssl_mode=required", database.url())).connection("default") {
        assert_eq!(error.kind(), ErrorKind::NotEncrypted, "{error}");
    }
    // Where nothing asks for TLS, nothing is refused.
    databases(database.url()).connection("default").unwrap();
}
