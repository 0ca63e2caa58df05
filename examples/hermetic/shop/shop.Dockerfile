# Only what every BuildKit knows by itself: a "syntax" line here would fetch
# another Dockerfile frontend from a registry.
FROM scratch AS pages
ARG SEASON
COPY pages/index.html pages/robots.txt /www/
COPY pages/${SEASON}/ /www/

FROM pages AS preview
COPY pages/preview.txt /www/

FROM pages AS published
ARG SEASON
LABEL build.orchard.season=$SEASON
COPY --from=brand /brand/ /www/brand/
