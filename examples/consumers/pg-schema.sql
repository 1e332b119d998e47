-- The queue: `INSERT INTO messages (body) VALUES ('…')` in the transaction that the message belongs to.
CREATE TABLE messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  body text NOT NULL,
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  error text
);
CREATE INDEX messages_due ON messages (due_at, id) WHERE attempts < 5;

-- What the work writes.
CREATE TABLE handled (
  message_id bigint NOT NULL,
  body text NOT NULL
);
