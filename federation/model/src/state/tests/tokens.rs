use super::*;
use crate::token::KeyHash;

const HASH: TokenHash = TokenHash([7; 32]);
const KEY: KeyHash = KeyHash([1; 32]);
const OTHER_KEY: KeyHash = KeyHash([2; 32]);

fn create(hash: TokenHash, expires: u64) -> Command {
    Command::CreateToken { hash, cluster: cluster("east"), expires: UnixMillis(expires), by: None }
}

fn redeem(name: &str, key: KeyHash) -> Command {
    Command::RedeemToken { hash: HASH, cluster: cluster(name), key }
}

#[test]
fn a_token_is_used_once_and_again_only_by_the_same_key() {
    let mut machine = Machine::default();
    assert_eq!(machine.accept(create(HASH, 1_000)), []);
    assert_eq!(machine.accept(redeem("east", KEY)), []);
    machine.accept(redeem("east", KEY));
    assert_eq!(machine.refuse(redeem("east", OTHER_KEY)), Rejection::TokenUsed);
    assert_eq!(machine.state.token(&HASH).unwrap().used_by, Some(KEY));
}

#[test]
fn a_token_is_for_its_cluster_alone() {
    let mut machine = Machine::default();
    machine.accept(create(HASH, 1_000));
    let refused = machine.refuse(redeem("west", KEY));
    assert_eq!(refused, Rejection::TokenForAnother { cluster: cluster("east") });
    machine.accept(redeem("east", KEY));
}

#[test]
fn a_token_expires_even_for_the_key_that_used_it() {
    let mut machine = Machine::default();
    machine.accept(create(HASH, 1_000));
    machine.now = 999;
    machine.accept(redeem("east", KEY));
    machine.now = 1_000;
    assert_eq!(machine.refuse(redeem("east", KEY)), Rejection::TokenExpired { at: UnixMillis(1_000) });
}

#[test]
fn an_unknown_token_is_refused() {
    assert_eq!(Machine::default().refuse(redeem("east", KEY)), Rejection::UnknownToken);
}

#[test]
fn creating_the_same_token_again_does_not_make_it_unused() {
    let mut machine = Machine::default();
    machine.accept(create(HASH, 1_000));
    machine.accept(redeem("east", KEY));
    machine.accept(create(HASH, 1_000));
    assert_eq!(machine.refuse(redeem("east", OTHER_KEY)), Rejection::TokenUsed);
}

#[test]
fn expired_tokens_go_when_the_next_is_made() {
    let mut machine = Machine::default();
    machine.accept(create(HASH, 1_000));
    machine.now = 1_000;
    let next = TokenHash([8; 32]);
    machine.accept(create(next, 2_000));
    let left: Vec<_> = machine.state.tokens().map(|token| token.hash).collect();
    assert_eq!(left, [next]);
}
