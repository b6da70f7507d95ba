//! The first rows: a magazine on bicycle touring, and the shop beside it. The same at every first run.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::schema::{comments, orders, posts, products, users};

const USERS: i32 = 60;
const COMMENTS: i32 = 300;
const ORDERS: i32 = 150;

/// Fills the tables of an app if they are empty.
pub(crate) fn fill(app: &str, conn: &mut SqliteConnection) -> QueryResult<()> {
    match app {
        "users" if users::table.count().get_result::<i64>(conn)? == 0 => fill_users(conn),
        "blog" if posts::table.count().get_result::<i64>(conn)? == 0 => {
            fill_posts(conn).and_then(|()| fill_comments(conn))
        }
        "shop" if products::table.count().get_result::<i64>(conn)? == 0 => {
            fill_products(conn).and_then(|()| fill_orders(conn))
        }
        "users" | "blog" | "shop" => Ok(()),
        other => panic!("the app `{other}` has no rows"),
    }
}

fn fill_users(conn: &mut SqliteConnection) -> QueryResult<()> {
    for id in 1..=USERS {
        // Two lists whose lengths have no common factor: all sixty names differ.
        let first = FIRST_NAMES[id as usize % FIRST_NAMES.len()];
        let last = LAST_NAMES[id as usize % LAST_NAMES.len()];
        diesel::insert_into(users::table)
            .values((
                users::id.eq(id),
                users::name.eq(format!("{first} {last}")),
                users::email.eq(format!("{first}.{last}@example.org").to_lowercase()),
                users::joined_on.eq(day(2024, id * 5)),
            ))
            .execute(conn)?;
    }
    Ok(())
}

fn fill_posts(conn: &mut SqliteConnection) -> QueryResult<()> {
    let mut dice = Dice(1);
    for id in 1..=(RIVERS.len() * HEADLINES.len()) as i32 {
        let river = RIVERS[id as usize % RIVERS.len()];
        let headline = HEADLINES[id as usize / RIVERS.len() % HEADLINES.len()];
        diesel::insert_into(posts::table)
            .values((
                posts::id.eq(id),
                // A third of the users write.
                posts::user_id.eq(dice.roll(USERS / 3)),
                posts::title.eq(headline.replace("{}", river)),
                posts::body.eq(format!("{} {}", dice.pick(&OPENINGS), dice.pick(&ENDINGS))),
                posts::published_on.eq(day(2025, id * 2)),
            ))
            .execute(conn)?;
    }
    Ok(())
}

fn fill_comments(conn: &mut SqliteConnection) -> QueryResult<()> {
    let mut dice = Dice(2);
    for id in 1..=COMMENTS {
        diesel::insert_into(comments::table)
            .values((
                comments::id.eq(id),
                comments::post_id.eq(dice.roll((RIVERS.len() * HEADLINES.len()) as i32)),
                comments::user_id.eq(dice.roll(USERS)),
                comments::body.eq(dice.pick(&REMARKS)),
            ))
            .execute(conn)?;
    }
    Ok(())
}

fn fill_products(conn: &mut SqliteConnection) -> QueryResult<()> {
    let mut dice = Dice(3);
    for (what, kinds, price_cents) in PRODUCTS {
        for (step, kind) in kinds.iter().enumerate() {
            diesel::insert_into(products::table)
                .values((
                    products::name.eq(format!("{what}, {kind}")),
                    products::price_cents.eq(price_cents * (10 + 2 * step as i32) / 10),
                    products::stock.eq(200 + dice.roll(300)),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

fn fill_orders(conn: &mut SqliteConnection) -> QueryResult<()> {
    let mut dice = Dice(4);
    for id in 1..=ORDERS {
        diesel::insert_into(orders::table)
            .values((
                orders::id.eq(id),
                orders::user_id.eq(dice.roll(USERS)),
                orders::product_id.eq(dice.roll(4 * PRODUCTS.len() as i32)),
                orders::quantity.eq(dice.roll(3)),
                orders::ordered_on.eq(day(2025, id * 2)),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// A day of a year whose months all have 28 days.
fn day(year: i32, day: i32) -> String {
    format!("{year}-{:02}-{:02}", day / 28 % 12 + 1, day % 28 + 1)
}

/// Dice that always fall alike: the generator of Knuth's MMIX.
struct Dice(u64);

impl Dice {
    /// A number from 1 to `sides`.
    fn roll(&mut self, sides: i32) -> i32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i32 % sides + 1
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[self.roll(of.len() as i32) as usize - 1]
    }
}

const FIRST_NAMES: [&str; 12] = [
    "Amira", "Bastian", "Chiara", "David", "Elif", "Farah", "Goran", "Hanna", "Ivo", "Joana", "Kofi", "Lena",
];

const LAST_NAMES: [&str; 11] = [
    "Almeida", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Horvat", "Ito", "Jansen", "Keller",
    "Lindholm",
];

const RIVERS: [&str; 10] =
    ["Elbe", "Loire", "Danube", "Moselle", "Tagus", "Rhine", "Drava", "Oder", "Vistula", "Inn"];

const HEADLINES: [&str; 12] = [
    "Three days along the {}",
    "What to pack for the {}",
    "The {} by train and bicycle",
    "Where to camp on the {}",
    "Rain on the {}, and what stayed dry",
    "The {} with two children",
    "Ten cafés along the {}",
    "The {} against the wind",
    "A broken spoke on the {}",
    "The {} in October",
    "From the source of the {}, slowly",
    "Every ferry across the {}",
];

const OPENINGS: [&str; 6] = [
    "We left at six, before the heat, and had the towpath to ourselves.",
    "The plan was eighty kilometres a day, and the plan lasted until lunch.",
    "Nobody had told us about the second hill.",
    "Most of this route is flat, and the rest is worth it.",
    "We had ridden it once before, in the other direction.",
    "The signs are good, so we left the map in the bag.",
];

const ENDINGS: [&str; 6] = [
    "Next time we would take one day more and one bag less.",
    "The last train home has room for six bicycles, and it was full.",
    "The bakery at the bridge opens at seven.",
    "We slept well, as one does.",
    "Take the left bank: it has the shade.",
    "The brakes needed new pads afterwards.",
];

const REMARKS: [&str; 15] = [
    "I rode this in May, and the ferry was closed.",
    "Which tyres did you use on the gravel?",
    "The campsite has new showers since last year.",
    "Thank you, this is just what I was looking for.",
    "We met you at the lock! The tandem, remember?",
    "How much water did you carry?",
    "The left bank is closed for works until autumn.",
    "My children managed it at eight and eleven.",
    "A bell helps with the geese.",
    "Is the train really free for bicycles?",
    "Do not miss the museum by the old bridge.",
    "Same spoke, same hill. It must be the hill.",
    "The headwind is from the west until September.",
    "I would start further upstream.",
    "Beautiful pictures of the morning fog.",
];

/// What, in which kinds, and the price of the first kind in cents.
const PRODUCTS: [(&str, [&str; 4], i32); 12] = [
    ("Pannier", ["12 l", "18 l", "22 l", "30 l"], 5_900),
    ("Handlebar bag", ["3 l", "5 l", "7 l", "with map window"], 3_900),
    ("Tent", ["one person", "two persons", "three persons", "four persons"], 18_900),
    ("Sleeping mat", ["short", "regular", "long", "wide"], 6_500),
    ("Bottle", ["0.5 l", "0.75 l", "1 l", "insulated"], 1_400),
    ("Front light", ["40 lux", "60 lux", "80 lux", "100 lux"], 4_500),
    ("Tyre", ["28 mm", "32 mm", "37 mm", "47 mm"], 2_900),
    ("Multi-tool", ["9 functions", "14 functions", "18 functions", "22 functions"], 1_900),
    ("Rain jacket", ["S", "M", "L", "XL"], 9_500),
    ("Merino jersey", ["S", "M", "L", "XL"], 6_900),
    ("Stove", ["gas", "spirit", "petrol", "two burners"], 4_200),
    ("River map", ["Elbe", "Loire", "Danube", "Rhine"], 1_200),
];
