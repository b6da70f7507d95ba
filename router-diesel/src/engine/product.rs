//! Which of the products that share an engine a server is.

use std::fmt;

use diesel::ConnectionError;
use diesel::result::Error as DieselError;

use super::Engine;

/// A product of an engine's family. MySQL and MariaDB are two products of one engine; other engines are one product.
///
/// The file names an engine. The product is learnt from the server itself at each new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    pub(crate) engine: Engine,
    /// As in the file and in names of files: `mariadb`.
    pub(crate) name: &'static str,
    /// As in sentences: `MariaDB`.
    pub(crate) title: &'static str,
}

impl Product {
    /// The product's engine.
    #[must_use]
    pub fn engine(self) -> Engine {
        self.engine
    }

    /// The product's name in the file and in names of files: `mariadb`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What stands in the names of files that hold for this product, the narrowest first.
    ///
    /// For MariaDB they are `mariadb` and `mysql`: `up.mariadb.sql` goes before `up.mysql.sql`.
    pub(crate) fn file_infixes(self) -> impl Iterator<Item = &'static str> {
        let family = self.engine.as_str();
        [self.name, family].into_iter().take(if self.name == family { 1 } else { 2 })
    }
}

/// A server is another product than its URL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongProduct {
    pub(crate) wanted: Product,
    pub(crate) found: Product,
}

impl WrongProduct {
    /// Finds it in the error of a connection that could not be opened.
    pub(crate) fn in_error(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::CouldntSetupConfiguration(DieselError::QueryBuilderError(error)) => {
                error.downcast_ref().copied()
            }
            _ => None,
        }
    }
}

impl From<WrongProduct> for ConnectionError {
    /// Diesel's type has no place of its own for it.
    fn from(wrong: WrongProduct) -> Self {
        Self::CouldntSetupConfiguration(DieselError::QueryBuilderError(Box::new(wrong)))
    }
}

impl fmt::Display for WrongProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, found } = self;
        write!(f, "the server is {found}, but the configuration asks for {wanted}")
    }
}

impl std::error::Error for WrongProduct {}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}
