SELECT pg_notify('cache', 'flush');
COPY orgs TO PROGRAM 'cat > /dev/null';
