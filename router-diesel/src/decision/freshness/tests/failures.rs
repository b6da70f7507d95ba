//! Scenarios of nodes that fail, or have no connection to give.

use super::check;

#[test]
fn a_node_that_fails_is_passed_over_once() {
    check(
        "",
        "
        1s   read           -> connect a
        1s   refused        -> connect b
        1s   opened 0s      -> serve b
        1s   lost           -> primary: no replica may serve
        1s   lost           -> primary: no replica may serve
        1s   lost           -> give up
        ",
    );
    // The first read from a node that failed has shown nothing, so nothing is asked for its sake.
    check(
        "",
        "
        1s   read           -> connect a
        1s   opened 0s      -> serve a
        1s   lost           -> connect b
        1s   opened 0s      -> serve b
        2s   read           -> ready b
        ",
    );
    // What was read before must be shown again.
    check(
        "",
        "
        1s   read           -> connect a
        1s   opened 0s      -> serve a
        2s   read           -> ready a
        2s   lost           -> ask primary
        ",
    );
}

#[test]
fn a_failed_read_of_the_primary_has_shown_nothing() {
    check(
        "",
        "
        1s   serving p a
        1s   read           -> wait for p
        1s   lost           -> connect a
        1s   opened 0s      -> serve a
        ",
    );
    check(
        "",
        "
        1s   serving p a
        1s   read           -> wait for p
        1s   opened 0s      -> serve p
        2s   read           -> ready p
        3s   serving a
        3s   read           -> give back p
        3s   done           -> ask primary
        ",
    );
}

#[test]
fn nobody_waits_for_a_busy_node_while_another_may_serve() {
    check(
        "",
        "
        1s   read           -> connect a
        1s   busy           -> connect b
        1s   busy           -> primary: no replica may serve
        ",
    );
    check(
        "",
        "
        1s   no primary
        1s   read           -> connect a
        1s   busy           -> connect b
        1s   busy           -> wait for a
        1s   opened 0s      -> serve a
        ",
    );
}
