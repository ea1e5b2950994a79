-- +goose Up
ALTER TABLE sites ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- JSON object; what it lacks is as it comes
