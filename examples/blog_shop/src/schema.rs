//! The tables, as in any Diesel service. Nothing here says which database has which.

diesel::table! {
    users (id) {
        id -> Integer,
        name -> Text,
        email -> Text,
        joined_on -> Text,
    }
}

diesel::table! {
    posts (id) {
        id -> Integer,
        user_id -> Integer,
        title -> Text,
        body -> Text,
        published_on -> Text,
    }
}

diesel::table! {
    comments (id) {
        id -> Integer,
        post_id -> Integer,
        user_id -> Integer,
        body -> Text,
    }
}

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        price_cents -> Integer,
        stock -> Integer,
    }
}

diesel::table! {
    orders (id) {
        id -> Integer,
        user_id -> Integer,
        product_id -> Integer,
        quantity -> Integer,
        ordered_on -> Text,
    }
}

diesel::joinable!(comments -> posts (post_id));
diesel::joinable!(orders -> products (product_id));

diesel::allow_tables_to_appear_in_same_query!(posts, comments);
diesel::allow_tables_to_appear_in_same_query!(products, orders);
// Only so that the tour can try it: these two are on different databases.
diesel::allow_tables_to_appear_in_same_query!(users, posts);
