GRANT SELECT ON pets TO pg_monitor
