// OHIF's settings: images come from this very origin (see proxy.py).
window.config = {
  name: 'hilum',
  routerBasename: null,
  extensions: [],
  modes: [],
  customizationService: [
    {
      // No guided tour over the images, and no play bar over Secondary Captures.
      'ohif.tours': { $set: [] },
      autoCineModalities: { $set: ['US'] },
    },
  ],
  showStudyList: true,
  maxNumberOfWebWorkers: 2,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  investigationalUseDialog: { option: 'always' },
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
  defaultDataSourceName: 'pacs',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'pacs',
      configuration: {
        friendlyName: 'PACS',
        name: 'pacs',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        qidoSupportsIncludeField: false,
        imageRendering: 'wadors',
        // Orthanc 1.10 has /rendered and no /thumbnail.
        thumbnailRendering: 'rendered',
        thumbnailRequestStrategy: 'fetch',
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
      },
    },
  ],
  // Without a handler OHIF hides the cause of every load error.
  httpErrorHandler: error => console.warn('PACS answered', error.status),
};
