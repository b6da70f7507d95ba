//! Passwords that stand in files, which are read for each new connection.

use std::fs;

use router_diesel::{AnyConnection, Databases, ErrorKind};

use crate::world::{Engine, World, eventually, ping, said};

on!(
    [Postgres, MariaDb],
    a_password_is_read_without_its_newline,
    a_file_that_cannot_be_read_is_named_and_its_content_is_not,
    a_file_that_changes_is_read_again,
);

const PASSWORD: &str = "from a file: p@ss/w%rd";

fn databases(world: &World) -> Databases<AnyConnection> {
    world.builder(&world.url_of_user(None), ", password_file: secrets/blog").build().unwrap()
}

fn a_password_is_read_without_its_newline(engine: Engine) {
    let Some(world) = World::with_user(engine, PASSWORD) else { return };
    fs::create_dir(world.folder.path().join("secrets")).unwrap();
    for end in ["", "\n", "\r\n"] {
        world.write("secrets/blog", format!("{PASSWORD}{end}"));
        ping(&databases(&world)).unwrap();
    }
    // One newline is the file's, another one would be the password's.
    world.write("secrets/blog", format!("{PASSWORD}\n\n"));
    let error = ping(&databases(&world)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{}", said(&error, &["p@ss", "p%40ss"]));
}

fn a_file_that_cannot_be_read_is_named_and_its_content_is_not(engine: Engine) {
    let Some(world) = World::with_user(engine, PASSWORD) else { return };
    let path = world.folder.path().join("secrets/blog");
    fs::create_dir(world.folder.path().join("secrets")).unwrap();
    let refused = |cause: &str| {
        let error = ping(&databases(&world)).unwrap_err();
        let message = said(&error, &["hunter2"]);
        assert_eq!(error.kind(), ErrorKind::Setup, "{message}");
        assert!(!error.is_retryable(), "{message}");
        for part in ["`blog_db`", &format!("the password file `{}`", path.display()), cause] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    };
    refused("there is no such file");
    for (content, cause) in [
        (&b""[..], "it is empty"),
        (b"\n", "it is empty"),
        (b"hunter2\xff", "it is not UTF-8"),
        (b"hunter2\0", "cannot be used"),
        (&[b'x'; 1 << 17], "it is larger than"),
    ] {
        fs::write(&path, content).unwrap();
        refused(cause);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("it is a folder");
    fs::remove_dir(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        // Nobody writes into this pipe, and to open it would wait for that.
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        refused("it is no ordinary file");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "hunter2").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // The system lets its own administrator read everything.
        if fs::read(&path).is_err() {
            refused("permission denied");
        }
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        refused("there is no such file");
        fs::remove_file(&path).unwrap();
        // As orchestrators put secrets in place.
        world.write("secrets/version-1", PASSWORD);
        symlink("version-1", &path).unwrap();
        ping(&databases(&world)).unwrap();
    }
}

fn a_file_that_changes_is_read_again(engine: Engine) {
    let Some(world) = World::with_user(engine, PASSWORD) else { return };
    fs::create_dir(world.folder.path().join("secrets")).unwrap();
    world.write("secrets/blog", PASSWORD);
    let databases = databases(&world);
    let mut held = vec![databases.connection("blog_db").unwrap()];
    world.set_password("another-one");
    world.write("secrets/blog", "another-one\n");
    eventually("a connection with the new password", || {
        databases.connection("blog_db").map(|conn| held.push(conn)).is_ok()
    });
    for conn in &mut held {
        diesel::r2d2::R2D2Connection::ping(&mut **conn).unwrap();
    }
}
