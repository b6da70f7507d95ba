//! SQLite's client program.

use super::Sqlite;
use crate::engine::client::{ClientProgram, Clients, UnsafeSecret};
use crate::engine::{Access, DatabaseUrl};

impl Clients for Sqlite {
    fn client(&self, url: &DatabaseUrl, access: Access) -> Result<ClientProgram, UnsafeSecret> {
        let file = url.expose();
        if url.to_string() != file {
            return Err(UnsafeSecret { program: "sqlite3", what: "a key".to_owned() });
        }
        // A file whose name begins with a dash is no option.
        let file = if file.starts_with('-') { format!("./{file}") } else { file.to_owned() };
        let mut arguments = vec![file];
        if access == Access::ReadOnly {
            arguments.insert(0, "-readonly".to_owned());
        }
        Ok(ClientProgram {
            programs: &["sqlite3"],
            package: "sqlite3",
            arguments,
            variables: Vec::new(),
            ignored: Vec::new(),
        })
    }
}
