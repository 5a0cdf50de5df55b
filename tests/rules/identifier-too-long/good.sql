CREATE TABLE notes (
    id bigint PRIMARY KEY -- the_number_that_finds_all_of_them_by_their_full_name_and_their_age_too
);
CREATE INDEX CONCURRENTLY ix_users_that_finds_all_of_them_by_their_full_name_and_age_too_ ON users (name, age);
