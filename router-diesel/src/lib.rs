//! Routes ordinary Diesel statements to several databases.
