-- What the operator took back from agents. Shared accounts of later migrations count down from -1,
-- because agents' accounts count up.
INSERT INTO accounts (id, name, normal, balance) VALUES (-1, 'operator:equity', 'credit', 0);
