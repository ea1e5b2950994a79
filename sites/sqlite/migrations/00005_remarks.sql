-- +goose Up
ALTER TABLE releases ADD COLUMN remarks TEXT NOT NULL DEFAULT '[]'; -- JSON array
