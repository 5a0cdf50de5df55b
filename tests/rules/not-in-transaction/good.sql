-- one transaction
REINDEX TABLE orgs;
