//! Databases over something that is no connection of an engine.
fn main() {
    let _ = router_diesel::Databases::<String>::from_file("config/databases.yml");
}
